import { close, constants, fdatasync, fstat, fsync, ftruncate, open, read, type Stats, write } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, statfs, writeFile } from "node:fs/promises";

/** One open file of the journal. */
export interface JournalFile {
  /** Writes all of `bytes` at `position`; after a rejection any part of it may be in the file. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Fills `into` from `position`; answers the number of bytes read, less than asked only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Settles when all that was written is on stable storage. */
  datasync(): Promise<void>;
  /** Cuts the file to `lengthBytes` and puts the new length on stable storage. */
  truncate(lengthBytes: number): Promise<void>;
  /** Length, in bytes. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** The file operations of the embedded log; rejections carry the system's error `code`. */
export interface JournalFiles {
  /** `create` refuses a file that exists. */
  open(path: string, mode: "create" | "write" | "read"): Promise<JournalFile>;
  /** Creates the directory and its parents. */
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<readonly string[]>;
  /** Puts the names in the directory on stable storage. */
  syncDirectory(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  readWhole(path: string): Promise<Uint8Array>;
  /** Replaces the file in one step; `durable` also puts its bytes (not its name) on stable storage first. */
  replace(path: string, bytes: Uint8Array, durable: boolean): Promise<void>;
  /** Bytes that this process may still use on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}

type Settle<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

const settled = <T>(start: (done: Settle<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });

async function writeAll(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const from = done;
    done += await settled<number>((end) => write(fd, bytes, from, bytes.byteLength - from, position + from, end));
  }
}

async function readAll(fd: number, into: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < into.byteLength) {
    const from = done;
    const count = await settled<number>((end) => read(fd, into, from, into.byteLength - from, position + from, end));
    if (count === 0) break;
    done += count;
  }
  return done;
}

const openFlags = {
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  write: constants.O_RDWR,
  read: constants.O_RDONLY,
};

// The callback API: a FileHandle costs several times the CPU per operation.
async function openFile(path: string, mode: keyof typeof openFlags): Promise<JournalFile> {
  const fd = await settled<number>((end) => open(path, openFlags[mode], 0o600, end));
  return {
    write: (bytes, position) => writeAll(fd, bytes, position),
    read: (into, position) => readAll(fd, into, position),
    datasync: () => settled<void>((end) => fdatasync(fd, (error) => end(error, undefined))),
    async truncate(lengthBytes) {
      await settled<void>((end) => ftruncate(fd, lengthBytes, (error) => end(error, undefined)));
      await settled<void>((end) => fsync(fd, (error) => end(error, undefined)));
    },
    size: async () => (await settled<Stats>((end) => fstat(fd, end))).size,
    close: () => settled<void>((end) => close(fd, (error) => end(error ?? null, undefined))),
  };
}

async function syncDirectory(path: string): Promise<void> {
  const fd = await settled<number>((end) => open(path, constants.O_RDONLY | constants.O_DIRECTORY, end));
  try {
    await settled<void>((end) => fsync(fd, (error) => end(error, undefined)));
  } finally {
    await settled<void>((end) => close(fd, (error) => end(error ?? null, undefined)));
  }
}

/** The real file system. */
export function createJournalFiles(): JournalFiles {
  return {
    open: openFile,
    makeDirectory: async (path) => void (await mkdir(path, { recursive: true, mode: 0o700 })),
    list: (path) => readdir(path),
    syncDirectory,
    remove: (path) => rm(path, { force: true }),
    readWhole: (path) => readFile(path),
    async replace(path, bytes, durable) {
      await writeFile(`${path}.new`, bytes, { mode: 0o600, flush: durable });
      await rename(`${path}.new`, path);
    },
    async freeBytes(path) {
      const stats = await statfs(path);
      return stats.bavail * stats.bsize;
    },
  };
}
