import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { type ProgramResult, root, runProgram } from "./run-program.ts";

const timeoutMs = 120_000;

/** Arguments that run buf under Node: the execute bit of its own command is not always there. */
export const bufCommand = (...args: string[]): string[] => [join(root, "node_modules/@bufbuild/buf/bin/buf"), ...args];

/**
 * Writes all generated files (gen/proto, gen/errors.ts, docs/errors.md, docs/telemetry.md) under a folder, the repository or a temporary
 * one. Answers with the first step that failed, or with the last one.
 */
export async function generateCode(target: string): Promise<ProgramResult> {
  const buf = await runProgram("node", bufCommand("generate", "--output", target), { timeoutMs });
  if (buf.code !== 0) return buf;
  const errors = await runProgram("node", [join(root, "scripts/generate-errors.ts"), target], { timeoutMs });
  if (errors.code !== 0) return errors;
  const telemetry = await runProgram("node", [join(root, "scripts/generate-telemetry.ts"), target], { timeoutMs });
  if (telemetry.code !== 0) return telemetry;
  if (target !== root) copyFileSync(join(root, "biome.json"), join(target, "biome.json"));
  return runProgram("biome", ["format", "--write", "docs/errors.md", "docs/telemetry.md"], { cwd: target, timeoutMs });
}
