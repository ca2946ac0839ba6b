import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { ChappeError } from "../../errors/chappe-error.ts";
import type { JournalFiles } from "./journal-files.ts";
import { baseOfName } from "./segment.ts";

/** What a log's directory remembers for its whole life. */
export interface LogMeta {
  readonly format: 1;
  readonly partitions: number;
  /** Seed of the group checksums, random, so that no payload can pass for a group. */
  readonly salt: number;
}

async function read(files: JournalFiles, path: string): Promise<LogMeta> {
  try {
    return JSON.parse(Buffer.from(await files.readWhole(path)).toString("utf8")) as LogMeta;
  } catch (cause) {
    throw new ChappeError("CORRUPT", `${path} cannot be read`, { cause });
  }
}

/** Reads the directory's meta file, or writes it for a new log. INVALID_ARGUMENT for another number of partitions. */
export async function openMeta(files: JournalFiles, directory: string, partitions: number): Promise<LogMeta> {
  const path = join(directory, "meta.json");
  const names = await files.list(directory);
  if (!names.includes("meta.json")) {
    if (names.some((name) => baseOfName(name) !== undefined)) {
      throw new ChappeError("CORRUPT", `${path} is missing but there are journal files`);
    }
    const meta: LogMeta = { format: 1, partitions, salt: randomBytes(4).readUInt32LE(0) };
    await files.replace(path, Buffer.from(`${JSON.stringify(meta)}\n`), true);
    await files.syncDirectory(directory);
    return meta;
  }
  const meta = await read(files, path);
  if (meta.format !== 1) throw new ChappeError("CORRUPT", `${path} has format ${meta.format}, this program knows 1`);
  if (meta.partitions === partitions) return meta;
  const message = `${directory} was made with ${meta.partitions} partitions and cannot be opened with ${partitions}`;
  throw new ChappeError("INVALID_ARGUMENT", message, {
    violations: [{ field: "partitions", rule: "fixed_for_life", message }],
  });
}
