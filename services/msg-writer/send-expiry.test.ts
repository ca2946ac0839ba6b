import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startSendExpiry } from "./send-expiry.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const setUp = (expireSends: (idTimeMs: number) => Promise<number>) =>
  startSendExpiry({ store: { expireSends }, logger: silentLogger, keptMs: 100, intervalMs: 10, now: () => 1_000 });

it("forgets what is older than the time kept, at each interval, until it is closed", async () => {
  const times: number[] = [];
  const expiry = setUp(async (idTimeMs) => times.push(idTimeMs));
  await vi.advanceTimersByTimeAsync(25);
  expect(times).toEqual([900, 900]);
  await expiry.close();
  await vi.advanceTimersByTimeAsync(100);
  expect(times).toHaveLength(2);
});

it("runs once at a time and goes on after a failure", async () => {
  let calls = 0;
  const hold = Promise.withResolvers<number>();
  const expiry = setUp(() => (++calls === 1 ? hold.promise : Promise.resolve(0)));
  await vi.advanceTimersByTimeAsync(45);
  expect(calls).toBe(1);
  hold.reject(new Error("the disk is full"));
  await vi.advanceTimersByTimeAsync(10);
  expect(calls).toBe(2);
  await expiry.close();
});
