/** `npm test [-- vitest arguments]`: set-up, `npm run check` (unless arguments choose tests), all tests, one line at the end. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkSteps } from "./check-steps.ts";
import { runChecks } from "./run-checks.ts";
import { root, runProgram } from "./run-program.ts";
import { installSystemPrograms } from "./system-packages.ts";
import { countsLine, parseCounts, type TestCounts } from "./test-counts.ts";

/** A run that hangs fails instead of holding the machine; one on two calm cores takes a third of this. */
const testTimeoutMs = 75 * 60_000;

/** Runs vitest; a run that ends without counts, or with a bad code though no test failed, is one failure. */
async function runTests(args: readonly string[]): Promise<TestCounts> {
  const folder = mkdtempSync(join(tmpdir(), "chappe-test-"));
  const countsPath = join(folder, "counts.json");
  process.env.CHAPPE_TEST_COUNTS = countsPath;
  try {
    const reporters = ["--reporter=default", `--reporter=${join(root, "scripts/test-reporter.ts")}`];
    const { code } = await runProgram("vitest", ["run", "--allowOnly=false", ...reporters, ...args], {
      timeoutMs: testTimeoutMs,
      inherit: true,
    });
    let counts: TestCounts | undefined;
    try {
      counts = parseCounts(readFileSync(countsPath, "utf8"));
    } catch {
      console.log("The test run ended without a result.");
    }
    counts ??= { passed: 0, failed: 1, skipped: 0 };
    return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const args = process.argv.slice(2);
await installSystemPrograms(console.log);
const failedChecks = args.length > 0 ? [] : await runChecks(checkSteps);
if (args.length > 0) console.log("Checks are left out because arguments choose tests; npm run check runs them.");
const counts = await runTests(args);
for (const name of failedChecks) console.log(`failed check: ${name}`);
const total = { ...counts, failed: counts.failed + failedChecks.length };
process.exitCode = total.failed > 0 ? 1 : 0;
console.log(countsLine(total));
