/** `npm run check`: everything that can be said about the sources without starting Chappe. */
import { checkSteps, ruleTests } from "./check-steps.ts";
import { runChecks } from "./run-checks.ts";

const failed = await runChecks([...checkSteps, ruleTests]);
if (failed.length > 0) console.log(`failed: ${failed.join("; ")}`);
process.exitCode = failed.length > 0 ? 1 : 0;
