import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EnvoyFiles } from "./envoy-files.ts";

function isThere(path: string, text: string): boolean {
  try {
    return readFileSync(path, "utf8") === text;
  } catch {
    return false;
  }
}

/** Moves the files into place, each as a whole, in their order; those that are as they should be stay. Answers which moved. */
export function writeEnvoyFiles(directory: string, files: EnvoyFiles): string[] {
  mkdirSync(directory, { recursive: true });
  const changed = Object.entries(files).filter(([name, text]) => !isThere(join(directory, name), text));
  for (const [name, text] of changed) {
    const part = join(directory, `.${name}.part`);
    writeFileSync(part, text);
    renameSync(part, join(directory, name));
  }
  return changed.map(([name]) => name);
}
