import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Where one run of an engine keeps everything. */
export interface RunDirectory {
  readonly path: string;
  /** The path when the directory goes with the run; undefined when the caller chose it. */
  readonly temporary: string | undefined;
  /** Removes a temporary one. */
  remove(): void;
}

/** The directory that the caller chose, which stays; otherwise a new temporary one. */
export function openRunDirectory(engine: string, dataDir: string | undefined): RunDirectory {
  if (dataDir !== undefined) {
    const path = resolve(dataDir);
    mkdirSync(path, { recursive: true });
    return { path, temporary: undefined, remove: () => undefined };
  }
  const path = mkdtempSync(join(tmpdir(), `chappe-${engine}-`));
  return { path, temporary: path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}
