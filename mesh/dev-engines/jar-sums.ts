import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Reads a list as sha256sum writes it: name of the file -> SHA-256 in hex. */
export function readSums(file: string): Map<string, string> {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}

/** What is wrong with a folder of jars, one phrase each; empty = all as listed. */
export async function jarProblems(folder: string, sums: ReadonlyMap<string, string>): Promise<string[]> {
  const problems: string[] = [];
  for (const [name, sum] of sums) {
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (bytes === undefined) problems.push(`${name} is missing`);
    else if (createHash("sha256").update(bytes).digest("hex") !== sum) problems.push(`${name} has another SHA-256`);
  }
  return problems;
}
