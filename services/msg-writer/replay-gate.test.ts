import { expect, it } from "vitest";
import { createReplayGate, type ReplayGate } from "./replay-gate.ts";

async function isOpen(gate: ReplayGate): Promise<boolean> {
  return Promise.race([gate.opened.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
}

it("is open when nothing is on the log", async () => {
  expect(await isOpen(createReplayGate(new Map()))).toBe(true);
  expect(await isOpen(createReplayGate(new Map([[0, 0]])))).toBe(true);
});

it("opens when the last partition has reached its end", async () => {
  const ends = new Map([
    [0, 3],
    [1, 5],
    [2, 0],
  ]);
  const gate = createReplayGate(ends);
  gate.reached(0, 3);
  gate.reached(1, 4);
  gate.reached(7, 9);
  expect(await isOpen(gate)).toBe(false);
  gate.reached(1, 6);
  expect(await isOpen(gate)).toBe(true);
});

it("does not wait for a stopped partition", async () => {
  const gate = createReplayGate(new Map([[4, 2]]));
  gate.skip(4);
  expect(await isOpen(gate)).toBe(true);
});
