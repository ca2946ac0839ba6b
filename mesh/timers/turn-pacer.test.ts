import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createTurnPacer } from "./turn-pacer.ts";

beforeEach(() =>
  vi.useFakeTimers({ toFake: ["setImmediate", "clearImmediate", "setTimeout", "clearTimeout", "performance"] }),
);
afterEach(() => vi.useRealTimers());

const setUp = (items: () => number) => {
  const runs: number[] = [];
  const run = (): number => {
    runs.push(performance.now());
    return items();
  };
  return { runs, pacer: createTurnPacer({ run, busyItems: 4, intervalMs: 6 }) };
};

it("runs once for all requests of a turn", () => {
  const { runs, pacer } = setUp(() => 2);
  for (let i = 0; i < 5; i++) pacer.request();
  expect(runs).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(runs).toHaveLength(1);
  vi.advanceTimersByTime(100);
  expect(runs).toHaveLength(1);
});

it("does not wait after a run of few items", () => {
  const { runs, pacer } = setUp(() => 3);
  for (let i = 0; i < 3; i++) {
    pacer.request();
    vi.advanceTimersByTime(1);
  }
  expect(runs).toHaveLength(3);
});

it("waits for the interval after a busy run, and no longer", () => {
  let items = 4;
  const { runs, pacer } = setUp(() => items);
  pacer.request();
  vi.advanceTimersByTime(1);
  items = 1;
  pacer.request();
  vi.advanceTimersByTime(3);
  expect(runs).toHaveLength(1);
  vi.advanceTimersByTime(3);
  expect(runs).toHaveLength(2);
  pacer.request();
  vi.advanceTimersByTime(1);
  expect(runs).toHaveLength(3);
});

it("runs at once after a busy run that is long ago", () => {
  const { runs, pacer } = setUp(() => 9);
  pacer.request();
  vi.advanceTimersByTime(20);
  pacer.request();
  vi.advanceTimersByTime(0);
  expect(runs).toHaveLength(2);
});

it("runs what is due when told, and then not again", () => {
  const { runs, pacer } = setUp(() => 9);
  pacer.runNow();
  expect(runs).toHaveLength(0);
  pacer.request();
  pacer.runNow();
  expect(runs).toHaveLength(1);
  pacer.request();
  pacer.runNow();
  vi.advanceTimersByTime(50);
  expect(runs).toHaveLength(2);
});
