import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ChappeError } from "../../errors/chappe-error.ts";

/** A held lock, for as long as something refers to it. */
export interface DirectoryLock {
  /** Gives the directory free. Idempotent. */
  release(): void;
}

const busyCode = 5;

function refusal(directory: string, cause: unknown): ChappeError {
  let owner = "another process";
  try {
    owner = `process ${readFileSync(join(directory, "lock.pid"), "utf8").trim()}`;
  } catch {
    // The owner holds the lock a moment before it has written its number.
  }
  return new ChappeError("UNAVAILABLE", `data directory ${directory} is in use by ${owner}`, { cause });
}

/**
 * Takes the directory for this process, creating it when needed. The lock is the kernel's (fcntl, through SQLite), so
 * it ends with the process however that ends. UNAVAILABLE names the process that holds it.
 *
 * Nobody else in this process may open and close `lock.db`: closing any descriptor of a file gives its fcntl locks up.
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(directory, "lock.db"));
  try {
    database.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    writeFileSync(join(directory, "lock.pid"), `${process.pid}\n`);
  } catch (error) {
    database.close();
    throw (error as { errcode?: number }).errcode === busyCode ? refusal(directory, error) : error;
  }
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      rmSync(join(directory, "lock.pid"), { force: true });
      database.close();
    },
  };
}
