import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";
import type { TestCounts } from "./test-counts.ts";

/** Counts the tests of modules; a file or a suite that broke outside its tests is a failure too, and so is a test that never ended. */
export function countTests(modules: readonly TestModule[], unhandledErrors: number): TestCounts {
  let passed = 0;
  let failed = unhandledErrors;
  let skipped = 0;
  for (const module of modules) {
    failed += module.errors().length;
    for (const suite of module.children.allSuites()) failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed") passed++;
      else if (state === "skipped") skipped++;
      else failed++;
    }
  }
  return { passed, failed, skipped };
}

/** Vitest reporter that writes the counts of the run as JSON to the file named by CHAPPE_TEST_COUNTS. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const path = process.env.CHAPPE_TEST_COUNTS;
    if (path !== undefined) writeFileSync(path, JSON.stringify(countTests(modules, unhandledErrors.length)));
  }
}
