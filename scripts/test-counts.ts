/** How many tests ended how. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The last line of a test run: `N passed, N failed`, and `, N skipped` when there are any. */
export function countsLine({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Reads what the reporter wrote; undefined when the text is not whole. */
export function parseCounts(text: string): TestCounts | undefined {
  try {
    const { passed, failed, skipped } = JSON.parse(text) as TestCounts;
    return [passed, failed, skipped].every(Number.isSafeInteger) ? { passed, failed, skipped } : undefined;
  } catch {
    return undefined;
  }
}
