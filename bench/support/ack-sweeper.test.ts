import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { AckSweeper } from "./ack-sweeper.ts";

describe("AckSweeper", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  const setUp = () => {
    const sentMs: number[] = [];
    const startMs = performance.now();
    const owner = { sendAck: () => void sentMs.push(performance.now() - startMs) };
    const sweeper = new AckSweeper();
    return { sentMs, owner, sweeper, owe: () => sweeper.owe(owner, performance.now()) };
  };

  it("acknowledges at once, then at most every 100 ms and never much later", () => {
    const { sentMs, sweeper, owe } = setUp();
    for (let i = 0; i < 500; i++) {
      owe();
      vi.advanceTimersByTime(1);
    }
    vi.advanceTimersByTime(200);
    sweeper.close();
    expect(sentMs[0]).toBe(0);
    const gaps = sentMs.slice(1).map((ms, i) => ms - sentMs[i]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(90);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(120);
    expect(sentMs.at(-1)).toBeGreaterThanOrEqual(499);
  });

  it("sends nothing for a connection that is gone", () => {
    const { sentMs, owner, sweeper, owe } = setUp();
    owe();
    owe();
    sweeper.forget(owner);
    vi.advanceTimersByTime(500);
    sweeper.close();
    expect(sentMs).toEqual([0]);
  });
});
