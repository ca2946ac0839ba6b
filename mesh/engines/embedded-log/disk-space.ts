import { ChappeError } from "../../errors/chappe-error.ts";
import type { JournalFiles } from "./journal-files.ts";

/** Whether the error says that the disk, or this user's share of it, is full. */
export function isNoSpace(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}

/** The answer to appends that do not fit. */
export function diskFull(cause?: unknown): ChappeError {
  return new ChappeError("DISK_FULL", undefined, { cause, retryAfterMs: 1_000 });
}

/** Watches the free space of the log's file system, looking at most every `checkMs`. */
export class DiskSpace {
  readonly #files: JournalFiles;
  readonly #directory: string;
  readonly #minFreeBytes: number;
  readonly #checkMs: number;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #freeBytes = 0;

  constructor(files: JournalFiles, directory: string, options: { minFreeBytes: number; checkMs: number }) {
    this.#files = files;
    this.#directory = directory;
    this.#minFreeBytes = options.minFreeBytes;
    this.#checkMs = options.checkMs;
  }

  /** Whether the last look is recent, so that `hasRoom` may answer at once. */
  get fresh(): boolean {
    return performance.now() - this.#checkedAtMs < this.#checkMs;
  }

  /** Looks at the file system. */
  async look(): Promise<void> {
    this.#freeBytes = await this.#files.freeBytes(this.#directory);
    this.#checkedAtMs = performance.now();
  }

  /** Whether `lengthBytes` more leave the minimum free; counts them as used. */
  take(lengthBytes: number): boolean {
    if (this.#freeBytes - lengthBytes < this.#minFreeBytes) return false;
    this.#freeBytes -= lengthBytes;
    return true;
  }
}
