import { expect, it } from "vitest";
import { cpuSecondsOf, parseCpuSeconds, rssKibOf } from "./process-usage.ts";

it("reads CPU seconds behind a name with spaces and parentheses", () => {
  const line = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 11 0 100 1000 200";
  expect(parseCpuSeconds(line)).toBe(3);
});

it("reads this process as Node does", () => {
  const { user, system } = process.cpuUsage();
  expect(Math.abs(cpuSecondsOf(process.pid) - (user + system) / 1e6)).toBeLessThan(0.5);
  expect(rssKibOf(process.pid)).toBeGreaterThan(10_000);
});
