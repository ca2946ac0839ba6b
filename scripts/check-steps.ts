import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBreakingBase } from "./breaking-base.ts";
import { bufCommand, generateCode } from "./generate-code.ts";
import { root, runProgram } from "./run-program.ts";

/** How a step ended; `note` stands in its one line, `output` is shown when it failed. */
export interface StepResult {
  readonly passed: boolean;
  readonly note?: string;
  readonly output: string;
}

/** One independent part of `npm run check`. */
export interface CheckStep {
  readonly name: string;
  run(): Promise<StepResult>;
}

const timeoutMs = 300_000;

const program = (name: string, command: string, args: readonly string[]): CheckStep => ({
  name,
  async run() {
    const { code, output } = await runProgram(command, args, { timeoutMs });
    return { passed: code === 0, output };
  },
});

async function checkBreaking(): Promise<StepResult> {
  const base = await findBreakingBase();
  if (base.ref === undefined) return { passed: true, note: `nothing to compare with: ${base.reason}`, output: "" };
  const { code: had } = await runProgram("git", ["cat-file", "-e", `${base.ref}:buf.yaml`], { timeoutMs });
  if (had !== 0) return { passed: true, note: `nothing to compare with: no contracts in ${base.name}`, output: "" };
  const { code, output } = await runProgram("node", bufCommand("breaking", "--against", `.git#ref=${base.ref}`), {
    timeoutMs,
  });
  return { passed: code === 0, note: `against ${base.name}`, output };
}

/** Path -> text of the generated files under a folder. */
function readGenerated(folder: string): Map<string, string> {
  const files = readdirSync(join(folder, "gen/proto"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join("gen/proto", path));
  return new Map(
    [...files, "gen/errors.ts", "docs/errors.md", "docs/telemetry.md"].map((path) => [
      path,
      readFileSync(join(folder, path), "utf8"),
    ]),
  );
}

/** Names every file that differs between two sets of generated files, with how. */
export function compareGenerated(fresh: ReadonlyMap<string, string>, present: ReadonlyMap<string, string>): string[] {
  const differences: string[] = [];
  for (const [path, text] of fresh) {
    if (!present.has(path)) differences.push(`${path} is missing`);
    else if (present.get(path) !== text) differences.push(`${path} is out of date`);
  }
  for (const path of present.keys()) if (!fresh.has(path)) differences.push(`${path} has no source any more`);
  return differences;
}

async function checkGenerated(): Promise<StepResult> {
  const target = mkdtempSync(join(tmpdir(), "chappe-generated-"));
  try {
    const { code, output } = await generateCode(target);
    if (code !== 0) return { passed: false, output };
    const differences = compareGenerated(readGenerated(target), readGenerated(root));
    return { passed: differences.length === 0, output: [...differences, "run: npm run generate"].join("\n") };
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

/** The steps of `npm run check`, in the order in which they start. The last one also runs as a part of `npm test`. */
export const checkSteps: readonly CheckStep[] = [
  program("format and lint (biome)", "biome", ["check", "--error-on-warnings", "--max-diagnostics=50", "."]),
  program("types (tsc)", "tsc", ["--noEmit"]),
  program("promises (oxlint)", "oxlint", ["--type-aware", "--deny-warnings"]),
  program("contracts (buf lint)", "node", bufCommand("lint")),
  { name: "contracts stay compatible (buf breaking)", run: checkBreaking },
  { name: "generated code is up to date", run: checkGenerated },
];

/** The rules that tests check: layers, sizes, dead exports, contracts. */
export const ruleTests: CheckStep = program("layers, sizes, contracts (vitest)", "vitest", [
  "run",
  "--project",
  "unit",
  "test/tidy",
  "test/contracts",
]);
