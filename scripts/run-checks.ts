import type { CheckStep, StepResult } from "./check-steps.ts";

/** Steps that run at the same time. */
const maxStepsAtOnce = 2;

async function runStep(step: CheckStep): Promise<StepResult> {
  try {
    return await step.run();
  } catch (error) {
    return { passed: false, output: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Runs the steps, at most two at once; prints a line for each and the output of those that failed. Answers with the names of the failed. */
export async function runChecks(
  steps: readonly CheckStep[],
  print: (line: string) => void = console.log,
): Promise<string[]> {
  const failed: string[] = [];
  const waiting = [...steps];
  const work = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const startedMs = performance.now();
      const { passed, note, output } = await runStep(step);
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
      print(`${passed ? "ok    " : "FAILED"} ${step.name}${note === undefined ? "" : ` (${note})`}, ${seconds} s`);
      if (passed) continue;
      failed.push(step.name);
      print(output.trimEnd());
    }
  };
  await Promise.all(Array.from({ length: maxStepsAtOnce }, work));
  return failed;
}
