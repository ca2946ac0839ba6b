import { conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import type { HotWindow, HotWindowBounds } from "@chappe/mesh/ports/hot-window.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** An engine under test with a clock that the test moves. */
export interface WindowHarness {
  /** Another end of the same window. */
  open(bounds?: Partial<HotWindowBounds>): Promise<HotWindow>;
  /** Lets so much time pass for the engine. */
  passMs(ms: number): Promise<void>;
  /** Loses everything. */
  forget(): Promise<void>;
  close(): Promise<void>;
}

interface Bench {
  harness: WindowHarness;
  window: HotWindow;
}

const all = { maxMessages: 100_000, maxBytes: 100_000_000 };
const far = 1_000_000;

/** Seqs that a window holds of a conversation. */
async function heldOf(window: HotWindow, conversation = 1): Promise<number[]> {
  return seqsOf(await window.readRange(conversationOf(conversation), 1, far, all));
}

/** The suite that every engine of the HotWindow port passes. */
export function describeHotWindow(name: string, createHarness: () => Promise<WindowHarness>): void {
  describe(`hot window: ${name}`, () => {
    const bench = {} as Bench;
    beforeEach(async () => {
      bench.harness = await createHarness();
      bench.window = await bench.harness.open();
    });
    afterEach(() => bench.harness.close());
    describe("append", () => appendTests(bench));
    describe("ranges", () => rangeTests(bench));
    describe("bounds", () => boundTests(bench));
    describe("concurrency", () => concurrencyTests(bench));
  });
}

function appendTests(bench: Bench): void {
  test("holds nothing of a conversation that nothing was added to", async () => {
    expect(await heldOf(bench.window)).toEqual([]);
    await bench.window.append([]);
    await bench.window.append([runOf(2, 1, 3)]);
    expect(await heldOf(bench.window)).toEqual([]);
  });

  test("a run at hi + 1 is added, whatever the first seq was, in one call or several", async () => {
    await bench.window.append([runOf(1, 41, 2), runOf(2, 7, 1), runOf(1, 43, 1)]);
    await bench.window.append([runOf(1, 44, 3)]);
    expect(await heldOf(bench.window)).toEqual(upTo(41, 46));
    expect(await heldOf(bench.window, 2)).toEqual([7]);
  });

  test("a run at hi + 2 starts the window anew: nothing is ever served over a gap", async () => {
    await bench.window.append([runOf(1, 1, 5)]);
    await bench.window.append([runOf(1, 7, 2)]);
    expect(await heldOf(bench.window)).toEqual([7, 8]);
    await bench.window.append([runOf(1, 9, 1)]);
    expect(await heldOf(bench.window)).toEqual([7, 8, 9]);
  });

  test("of a run that overlaps only what is after hi counts", async () => {
    await bench.window.append([runOf(1, 3, 5, 20)]);
    await bench.window.append([runOf(1, 5, 6, 300)]);
    expect(await heldOf(bench.window)).toEqual(upTo(3, 10));
    const runs = await bench.window.readRange(conversationOf(1), 3, 10, all);
    const bytes = Buffer.concat(runs.map((run) => run.bytes));
    const expected = Buffer.concat([runOf(1, 3, 5, 20).bytes, runOf(1, 8, 3, 300).bytes]);
    expect(bytes.equals(expected)).toBe(true);
  });

  test("cuts an overlap at the right message, whatever lengths they have", async () => {
    const sizes = [0, 100, 127, 128, 16_300, 16_400, 40_000];
    for (const [i, size] of sizes.entries()) {
      const window = await bench.harness.open({ maxBytes: 10_000_000 });
      await window.append([runOf(10 + i, 1, 2)]);
      await window.append([runOf(10 + i, 1, 4, size)]);
      expect(await heldOf(window, 10 + i)).toEqual([1, 2, 3, 4]);
    }
  });

  test("repeats, and late runs below, change nothing", async () => {
    await bench.window.append([runOf(1, 10, 5)]);
    const before = await bench.window.readRange(conversationOf(1), 1, far, all);
    for (const run of [runOf(1, 10, 5), runOf(1, 10, 2), runOf(1, 13, 2), runOf(1, 1, 9), runOf(1, 1, 14, 90)])
      await bench.window.append([run]);
    expect(await bench.window.readRange(conversationOf(1), 1, far, all)).toEqual(before);
  });

  test("after it has lost everything it starts anew with the next run", async () => {
    await bench.window.append([runOf(1, 1, 5), runOf(2, 1, 5)]);
    await bench.harness.forget();
    expect(await heldOf(bench.window)).toEqual([]);
    await bench.window.append([runOf(1, 6, 1)]);
    expect(await heldOf(bench.window)).toEqual([6]);
    await bench.window.append([runOf(1, 3, 6)]);
    expect(await heldOf(bench.window)).toEqual([6, 7, 8]);
    expect(await heldOf(bench.window, 2)).toEqual([]);
  });

  test("contents come back as they were, large messages and many small ones too", async () => {
    const window = await bench.harness.open({ maxBytes: 10_000_000, maxMessages: 10_000 });
    const runs = [runOf(1, 1, 3, 40_000), ...upTo(4, 203).map((seq) => runOf(1, seq, 1, seq % 50)), runOf(1, 204, 700)];
    for (const run of runs) await window.append([run]);
    const held = await window.readRange(conversationOf(1), 1, far, all);
    const bytes = (parts: typeof runs): Buffer => Buffer.concat(parts.map((run) => run.bytes));
    expect(seqsOf(held)).toEqual(upTo(1, 903));
    expect(bytes([...held]).equals(bytes(runs))).toBe(true);
    // Kept together, not one by one.
    expect(held.length).toBeLessThan(runs.length / 2);
  });

  test("seqs beyond 32 bits", async () => {
    const first = 2 ** 40;
    await bench.window.append([runOf(1, first, 2)]);
    await bench.window.append([runOf(1, first + 1, 2)]);
    expect(seqsOf(await bench.window.readRange(conversationOf(1), 1, first * 2, all))).toEqual(upTo(first, first + 2));
  });
}

function rangeTests(bench: Bench): void {
  const fill = async (): Promise<void> => {
    for (const run of [runOf(1, 5, 3), runOf(1, 8, 1), runOf(1, 9, 40, 200), runOf(1, 49, 2)])
      await bench.window.append([run]);
  };
  const read = async (from: number, to: number, options = {}): Promise<number[]> =>
    seqsOf(await bench.window.readRange(conversationOf(1), from, to, { ...all, ...options }));

  test("a range is cut to what is held and to whole messages inside it", async () => {
    await fill();
    for (const from of [1, 4, 5, 6, 8, 9, 20, 48, 50]) {
      for (const to of [5, 7, 8, 10, 47, 48, 50, 51, 90]) {
        const [first, last] = [Math.max(from, 5), Math.min(to, 50)];
        expect(await read(from, to)).toEqual(first > last ? [] : upTo(first, last));
        expect(await read(from, to, { fromEnd: true })).toEqual(first > last ? [] : upTo(first, last));
      }
    }
    expect(await read(51, 60)).toEqual([]);
    expect(await read(1, 4)).toEqual([]);
    expect(await read(0, 5)).toEqual([5]);
  });

  test("too many messages: the oldest stay, or the newest on request", async () => {
    await fill();
    expect(await read(7, 50, { maxMessages: 4 })).toEqual([7, 8, 9, 10]);
    expect(await read(7, 49, { maxMessages: 4, fromEnd: true })).toEqual([46, 47, 48, 49]);
    expect(await read(1, 99, { maxMessages: 1 })).toEqual([5]);
    expect(await read(1, 99, { maxMessages: 1, fromEnd: true })).toEqual([50]);
  });

  test("too many bytes: cut, with at least one message", async () => {
    await fill();
    expect(await read(6, 50, { maxBytes: 1 })).toEqual([6]);
    expect(await read(6, 50, { maxBytes: 1, fromEnd: true })).toEqual([50]);
    const some = await read(5, 50, { maxBytes: 2_500 });
    expect(some.length).toBeGreaterThan(3);
    expect(some.length).toBeLessThan(20);
    expect(some).toEqual(upTo(5, 4 + some.length));
    const newest = await read(5, 50, { maxBytes: 2_500, fromEnd: true });
    expect(newest.length).toBeGreaterThan(3);
    expect(newest).toEqual(upTo(51 - newest.length, 50));
  });
}

function boundTests(bench: Bench): void {
  test.each([
    ["one at a time", 1, 20],
    ["in runs", 7, 20],
    ["in runs longer than the window", 250, 20],
    ["in large runs", 60, 900],
  ])("no more messages than the bound, %s", async (_name, count, bytes) => {
    const window = await bench.harness.open({ maxMessages: 100 });
    for (let seq = 1; seq <= 500; seq += count) await window.append([runOf(1, seq, count, bytes)]);
    const held = await heldOf(window);
    expect(held.length).toBeLessThanOrEqual(100);
    expect(held.length).toBeGreaterThan(70);
    const hi = Math.ceil(500 / count) * count;
    expect(held).toEqual(upTo(hi - held.length + 1, hi));
  });

  test.each([
    ["one at a time", 1, 100],
    ["in runs", 9, 100],
    ["in runs longer than the window", 250, 100],
    ["of very different length", 3, 2_000],
  ])("no more bytes than the bound, %s", async (_name, count, bytes) => {
    const maxBytes = 20_000;
    const window = await bench.harness.open({ maxBytes });
    for (let seq = 1; seq <= 500; seq += count) await window.append([runOf(1, seq, count, bytes)]);
    const runs = await window.readRange(conversationOf(1), 1, far, all);
    const length = runs.reduce((sum, run) => sum + run.bytes.length, 0);
    expect(length).toBeLessThanOrEqual(maxBytes);
    expect(length).toBeGreaterThan(maxBytes * 0.6);
    const held = seqsOf(runs);
    const hi = Math.ceil(500 / count) * count;
    expect(held).toEqual(upTo(hi - held.length + 1, hi));
  });

  test("the newest message stays, whatever its size", async () => {
    const window = await bench.harness.open({ maxBytes: 1_000, maxMessages: 1 });
    for (let seq = 1; seq <= 5; seq++) {
      await window.append([runOf(1, seq, 1, 3_000)]);
      expect(await heldOf(window)).toEqual([seq]);
    }
    await window.append([runOf(1, 6, 3, 3_000)]);
    expect(await heldOf(window)).toEqual([8]);
  });

  test("old messages go when newer ones come, and all of them when none come", async () => {
    const maxAgeMs = 60_000;
    const window = await bench.harness.open({ maxAgeMs });
    await window.append([runOf(1, 1, 20, 200), runOf(2, 1, 20)]);
    await bench.harness.passMs(maxAgeMs / 2);
    await window.append([runOf(1, 21, 20, 200)]);
    expect(await heldOf(window)).toEqual(upTo(1, 40));
    await bench.harness.passMs(maxAgeMs / 2 + 1_000);
    expect(await heldOf(window, 2)).toEqual([]);
    await window.append([runOf(1, 41, 20, 200)]);
    expect(await heldOf(window)).toEqual(upTo(21, 60));
    await bench.harness.passMs(maxAgeMs + 1_000);
    expect(await heldOf(window)).toEqual([]);
    await window.append([runOf(1, 61, 1)]);
    expect(await heldOf(window)).toEqual([61]);
  });

  test("what went leaves room: counts stay true over many rounds", async () => {
    const maxAgeMs = 60_000;
    const window = await bench.harness.open({ maxAgeMs, maxMessages: 50, maxBytes: 8_000 });
    let seq = 1;
    for (let round = 0; round < 120; round++) {
      const count = 1 + (round % 6);
      await window.append([runOf(1, seq, count, (round * 37) % 150)]);
      if (round % 10 === 0) await window.append([runOf(1, Math.max(1, seq - 2), count + 2, 10)]);
      if (round % 17 === 0) await bench.harness.passMs(maxAgeMs / 3);
      seq += count + (round % 31 === 30 ? 1 : 0);
    }
    await window.append([runOf(1, seq + 1, 50, 20)]);
    const held = await heldOf(window);
    expect(held.length).toBeLessThanOrEqual(50);
    expect(held.length).toBeGreaterThan(35);
    expect(held.at(-1)).toBe(seq + 50);
  });
}

function concurrencyTests(bench: Bench): void {
  test("two writers of the same runs, in any order, and a reader: contiguous at all times, and whole in the end", async () => {
    const ends = [bench.window, await bench.harness.open()];
    const conversations = upTo(1, 8);
    const count = 5;
    const runs = upTo(0, 59).map((i) => 1 + i * count);
    let writing = true;
    const write = async (window: HotWindow, lag: number): Promise<void> => {
      for (const [i] of runs.entries()) {
        const again = runs.slice(Math.max(0, i - lag), i + 1);
        await window.append(conversations.flatMap((n) => again.map((firstSeq) => runOf(n, firstSeq, count))));
      }
    };
    const watch = async (): Promise<number> => {
      let reads = 0;
      while (writing) {
        for (const n of conversations) {
          const held = await heldOf(bench.window, n);
          if (held.length > 0) expect(held).toEqual(upTo(held[0]!, held.at(-1)!));
          reads++;
        }
      }
      return reads;
    };
    const watching = watch();
    await Promise.all(ends.map((window, i) => write(window, i * 3)));
    writing = false;
    expect(await watching).toBeGreaterThan(0);
    for (const n of conversations) expect(await heldOf(bench.window, n)).toEqual(upTo(1, 300));
  });
}
