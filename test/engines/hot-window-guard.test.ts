import { conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { createMemoryHotWindow } from "@chappe/mesh/engines/memory-hot-window/memory-hot-window.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createWindowGuard } from "@chappe/mesh/hot-window/window-guard.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import { expect, test } from "vitest";

const all = { maxMessages: 1_000, maxBytes: 1_000_000 };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A window whose calls fail, or stay without an answer, as a test says. */
function openBreakable() {
  const memory = createMemoryHotWindow();
  const state = { fails: false, hangs: false, asked: 0, release: [] as (() => void)[] };
  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    state.asked++;
    if (state.hangs) await new Promise<void>((resolve) => state.release.push(resolve));
    if (state.fails) throw new ChappeError("UNAVAILABLE");
    return call();
  };
  const window: HotWindow = {
    append: (runs) => ask(() => memory.append(runs)),
    readRange: (...args) => ask(() => memory.readRange(...args)),
    close: () => memory.close(),
  };
  let clockMs = 0;
  const guard = createWindowGuard(window, { now: () => clockMs });
  const read = async (): Promise<number[]> => seqsOf(await guard.readRange(conversationOf(1), 1, 1_000, all));
  const passMs = (ms: number): void => {
    clockMs += ms;
  };
  return { guard, state, read, passMs };
}

test("hands on what it is given and answers with what is there", async () => {
  const { guard, read } = openBreakable();
  guard.append([runOf(1, 1, 3)]);
  guard.append([]);
  await settled();
  expect(await read()).toEqual([1, 2, 3]);
  expect(guard.stats()).toEqual({ answeredCalls: 2, failedCalls: 0, droppedRuns: 0, skippedReads: 0 });
});

test("a failure costs a read nothing but what the window had, and then nobody asks for a pause that doubles", async () => {
  const { guard, state, read, passMs } = openBreakable();
  guard.append([runOf(1, 1, 3)]);
  await settled();
  state.fails = true;
  expect(await read()).toEqual([]);
  expect(await read()).toEqual([]);
  guard.append([runOf(1, 4, 1)]);
  expect(state.asked).toBe(2);
  expect(guard.stats()).toEqual({ answeredCalls: 1, failedCalls: 1, droppedRuns: 1, skippedReads: 1 });
  passMs(limits.windowPauseMs);
  expect(await read()).toEqual([]);
  expect(state.asked).toBe(3);
  passMs(limits.windowPauseMs);
  await read();
  expect(state.asked).toBe(3);
  passMs(limits.windowPauseMs);
  state.fails = false;
  guard.append([runOf(1, 6, 2)]);
  await settled();
  expect(state.asked).toBe(4);
  expect(await read()).toEqual([6, 7]);
});

test("pauses end after a longest time, with one call at a time", async () => {
  const { state, read, passMs } = openBreakable();
  state.fails = true;
  for (let i = 0; i < 20; i++) {
    await read();
    passMs(limits.maxWindowPauseMs);
  }
  expect(state.asked).toBe(20);
  state.hangs = true;
  const reads = upTo(1, 5).map(read);
  await settled();
  expect(state.asked).toBe(21);
  state.fails = false;
  for (const release of state.release.splice(0)) release();
  await Promise.all(reads);
  state.hangs = false;
  await read();
  expect(state.asked).toBe(22);
});

test("drops what a window that does not answer has no room for, by calls and by bytes", async () => {
  const calls = openBreakable();
  calls.state.hangs = true;
  for (let seq = 1; seq <= limits.maxWindowAppends + 10; seq++) calls.guard.append([runOf(1, seq, 1)]);
  expect(calls.state.asked).toBe(limits.maxWindowAppends);
  expect(calls.guard.stats().droppedRuns).toBe(10);

  const bytes = openBreakable();
  bytes.state.hangs = true;
  const large = runOf(1, 1, 100, 40_000);
  const fitting = Math.floor(limits.maxWindowAppendBytes / large.bytes.length);
  for (let i = 0; i < fitting + 3; i++) bytes.guard.append([large, runOf(2, 1, 1)]);
  expect(bytes.guard.stats().droppedRuns).toBe(6);
  bytes.state.hangs = false;
  for (const release of bytes.state.release.splice(0)) release();
  await settled();
  bytes.guard.append([large]);
  expect(bytes.state.asked).toBe(fitting + 1);
});
