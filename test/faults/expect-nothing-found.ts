import { expect } from "vitest";
import type { FaultSummary } from "./summarise.ts";

/** Of a run in which all promises held. */
export const nothingFound = {
  ok: true,
  settled: true,
  lost: 0,
  duplicate: 0,
  hole: 0,
  reordered: 0,
  phantom: 0,
  unauthorised: 0,
  conflict: 0,
  behind: 0,
  incomplete: 0,
  faked: 0,
  examples: {},
} as const;

/** The run did so many harms and found nothing. */
export function expectNothingFound(summary: FaultSummary, kills: number): void {
  // First, since it says what was found.
  expect(summary.examples).toEqual({});
  expect(summary).toMatchObject({ ...nothingFound, kills });
  expect(summary.acked).toBeGreaterThan(0);
}
