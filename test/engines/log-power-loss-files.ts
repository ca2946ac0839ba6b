import { copyFile, mkdir, readdir, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  createJournalFiles,
  type JournalFile,
  type JournalFiles,
} from "@chappe/mesh/engines/embedded-log/journal-files.ts";

/** What would be left of a file if the power went now. */
interface Kept {
  lengthBytes: number;
  /** Whether its name is on stable storage. */
  named: boolean;
}

/** The real file system with a memory of what was synced, and with holds and failures on demand. */
export class PowerLossFiles implements JournalFiles {
  /** Replaced by tests to delay or fail a sync of a file. */
  beforeSync: (path: string) => Promise<void> = async () => {};
  /** Replaced by tests to delay the removal of a file. */
  beforeRemove: (path: string) => Promise<void> = async () => {};
  readonly #real = createJournalFiles();
  readonly #kept: Map<string, Kept>;

  /** `before` carries what was synced over a kill of the process: the page cache lives on. */
  constructor(before?: PowerLossFiles) {
    this.#kept = before === undefined ? new Map() : before.#kept;
  }

  async open(path: string, mode: "create" | "write" | "read"): Promise<JournalFile> {
    const file = await this.#real.open(path, mode);
    if (mode === "create") this.#kept.set(path, { lengthBytes: 0, named: false });
    return this.#watched(path, file);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#real.makeDirectory(path);
  }

  list(path: string): Promise<readonly string[]> {
    return this.#real.list(path);
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#real.syncDirectory(path);
    for (const [file, kept] of this.#kept) if (dirname(file) === path) kept.named = true;
  }

  async remove(path: string): Promise<void> {
    await this.beforeRemove(path);
    await this.#real.remove(path);
    this.#kept.delete(path);
  }

  readWhole(path: string): Promise<Uint8Array> {
    return this.#real.readWhole(path);
  }

  async replace(path: string, bytes: Uint8Array, durable: boolean): Promise<void> {
    await this.#real.replace(path, bytes, durable);
    this.#kept.set(path, { lengthBytes: durable ? bytes.byteLength : 0, named: false });
  }

  freeBytes(path: string): Promise<number> {
    return this.#real.freeBytes(path);
  }

  /** Copies to `target` what the disk would hold after a power loss now. */
  async loseThePower(source: string, target: string): Promise<void> {
    // What the disk holds is decided now; the copies may take their time.
    const kept = new Map([...this.#kept].map(([path, { lengthBytes, named }]) => [path, named ? lengthBytes : 0]));
    await mkdir(target, { recursive: true });
    for (const name of await readdir(source)) {
      const lengthBytes = kept.get(join(source, name)) ?? 0;
      if (lengthBytes === 0) continue;
      await copyFile(join(source, name), join(target, name));
      await truncate(join(target, name), lengthBytes);
    }
  }

  #watched(path: string, file: JournalFile): JournalFile {
    const keep = (lengthBytes: number): void => {
      const kept = this.#kept.get(path);
      if (kept !== undefined) kept.lengthBytes = lengthBytes;
    };
    return {
      ...file,
      datasync: async () => {
        await this.beforeSync(path);
        // Bytes written while the sync runs may miss it.
        const lengthBytes = await file.size();
        await file.datasync();
        keep(lengthBytes);
      },
      truncate: async (lengthBytes) => {
        await file.truncate(lengthBytes);
        keep(lengthBytes);
      },
    };
  }
}
