import { describe, expect, it } from "vitest";
import { LatencyHistogram } from "./latency-histogram.ts";

const shares = [0, 0.01, 0.5, 0.75, 0.99, 0.999, 1];
const largestError = 1 / 64;

describe("LatencyHistogram", () => {
  it.each([
    ["short", (i: number) => 0.001 + i * 0.0007],
    ["long", (i: number) => 0.05 + i * i * 0.001],
  ])("is within 1.6%% of the exact quantiles of %s latencies", (_, latency) => {
    const values = Array.from({ length: 5_000 }, (_, i) => latency(i));
    const histogram = new LatencyHistogram();
    for (const value of values.toReversed()) histogram.record(value);
    for (const share of shares) {
      const exact = values[Math.max(0, Math.ceil(share * values.length) - 1)]!;
      const read = histogram.quantileMs(share);
      // Values are kept as whole microseconds.
      expect(read).toBeGreaterThanOrEqual(exact - 0.0011);
      expect(read).toBeLessThanOrEqual(exact * (1 + largestError) + 0.0011);
    }
    expect(histogram.count).toBe(5_000);
    expect(histogram.maxMs).toBe(latency(4_999));
  });

  it("answers 0 when empty, and takes values beyond its range", () => {
    const histogram = new LatencyHistogram();
    expect(histogram.quantileMs(0.99)).toBe(0);
    histogram.record(10 ** 9);
    histogram.record(0);
    expect(histogram.quantileMs(1)).toBeGreaterThan(4_000_000);
    expect(histogram.quantileMs(0.1)).toBe(0.001);
  });
});
