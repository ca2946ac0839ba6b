import { type FileHandle, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { ChappeClientError } from "../client-error.ts";

/** Lines of JSON that survive a crash once `append` has settled. */
export interface LineLog {
  /** Appends made in one turn share one sync. Rejects, and appends nothing, when the disk refuses. */
  append(line: unknown): Promise<void>;
  /** Puts the lines in place of all others, in one step. */
  replace(lines: readonly unknown[]): Promise<void>;
  /** Length of the file. */
  readonly bytes: number;
  close(): Promise<void>;
}

const encode = (line: unknown): string => {
  const text = JSON.stringify(line);
  return `${crc32(text).toString(16).padStart(8, "0")} ${text}\n`;
};

function decode(line: string): unknown {
  const text = line.slice(9);
  return crc32(text).toString(16).padStart(8, "0") === line.slice(0, 8) ? JSON.parse(text) : undefined;
}

/** What a file holds; a last line that a crash cut short is left out. Throws CORRUPT for damage elsewhere. */
async function readLines(path: string): Promise<{ readonly lines: readonly unknown[]; readonly goodBytes: number }> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  });
  const lines: unknown[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(10, start);
    const line = end < 0 ? undefined : decode(bytes.toString("utf8", start, end));
    if (line === undefined) {
      if (end >= 0 && end < bytes.length - 1)
        throw new ChappeClientError("CORRUPT", `${path}: damaged at byte ${start}`);
      break;
    }
    lines.push(line);
    start = end + 1;
  }
  return { lines, goodBytes: start };
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Opens or makes the file, readable by its owner only, and answers what it holds. */
export async function openLineLog(
  path: string,
): Promise<{ readonly log: LineLog; readonly lines: readonly unknown[] }> {
  const { lines, goodBytes } = await readLines(path);
  let file: FileHandle = await open(path, "a", 0o600);
  await file.truncate(goodBytes);
  await syncDirectory(path);
  let size = goodBytes;
  let waiting: { text: string; done: PromiseWithResolvers<void> } | undefined;
  let tail: Promise<unknown> = Promise.resolve();

  const write = async (text: string): Promise<void> => {
    try {
      await file.appendFile(text);
      await file.datasync();
      size += Buffer.byteLength(text);
    } catch (error) {
      // A line written in part must not stand before the next one.
      await file.truncate(size).catch(() => {});
      throw error;
    }
  };
  const inOrder = (work: () => Promise<void>): Promise<void> => {
    const done = tail.then(work);
    tail = done.catch(() => {});
    return done;
  };

  const log: LineLog = {
    get bytes() {
      return size;
    },
    append(line) {
      if (waiting !== undefined) {
        waiting.text += encode(line);
        return waiting.done.promise;
      }
      const batch = { text: encode(line), done: Promise.withResolvers<void>() };
      waiting = batch;
      inOrder(() => {
        waiting = undefined;
        return write(batch.text);
      }).then(batch.done.resolve, batch.done.reject);
      return batch.done.promise;
    },
    replace(newLines) {
      // Appends that wait are written before, so they must not be joined by later ones.
      waiting = undefined;
      return inOrder(async () => {
        const text = newLines.map(encode).join("");
        const fresh = await open(`${path}.new`, "w", 0o600);
        try {
          await fresh.writeFile(text);
          await fresh.datasync();
        } finally {
          await fresh.close();
        }
        await rename(`${path}.new`, path);
        await syncDirectory(path);
        await file.close();
        file = await open(path, "a", 0o600);
        size = Buffer.byteLength(text);
      });
    },
    async close() {
      await inOrder(() => file.close());
    },
  };
  return { log, lines };
}
