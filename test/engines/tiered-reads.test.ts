import { Committing, conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { cutRuns } from "@chappe/mesh/engines/cut-runs.ts";
import { createMemoryHotWindow } from "@chappe/mesh/engines/memory-hot-window/memory-hot-window.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { findTime } from "@chappe/services/msg-reader/find-time.ts";
import { createTieredReads, type RangeWanted, type TieredReads } from "@chappe/services/msg-reader/tiered-reads.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const conversationId = conversationOf(1);
const newest = 60;

/** What each tier is given: seqs from, to. */
interface Parts {
  readonly window?: readonly [number, number] | undefined;
  readonly store: readonly (readonly [number, number])[];
  readonly history: readonly (readonly [number, number])[];
}

/** A history in memory that may be out of order for a while. */
function createHistory(runs: readonly MessageRun[]) {
  const state: { failure: ChappeError | undefined } = { failure: undefined };
  const history: MessageHistory = {
    put: async () => {},
    async readRange(_id, fromSeq, toSeq, bounds) {
      if (state.failure !== undefined) throw state.failure;
      return cutRuns(runs, { ...bounds, fromSeq, toSeq });
    },
    close: async () => {},
  };
  return { history, state };
}

const runsOf = (spans: readonly (readonly [number, number])[]): MessageRun[] =>
  spans.map(([from, to]) => runOf(1, from, to - from + 1)).sort((a, b) => a.firstSeq - b.firstSeq);

async function openTiers(parts: Parts) {
  const store = createMemoryMessageStore();
  const writer = new Committing(store);
  await writer.claim();
  for (const run of runsOf(parts.store)) await writer.commit([run]);
  const window = createMemoryHotWindow();
  if (parts.window !== undefined) await window.append(runsOf([parts.window]));
  const { history, state } = createHistory(runsOf(parts.history));
  const calls: string[] = [];
  const counted: MessageStore = Object.assign(Object.create(store), {
    readRange: (...args: Parameters<MessageStore["readRange"]>) => {
      calls.push(`store ${args[1]}-${args[2]}`);
      return store.readRange(...args);
    },
  });
  return { reads: createTieredReads({ store: counted, window, history }), window, state, calls };
}

const wanted = (fromSeq: number, toSeq: number, more: Partial<RangeWanted> = {}): RangeWanted => ({
  ...{ conversationId, fromSeq, toSeq, maxMessages: 1_000, maxBytes: 1_000_000 },
  ...more,
});
const read = async (reads: TieredReads, ...args: Parameters<typeof wanted>): Promise<number[]> =>
  seqsOf(await reads.readRange(wanted(...args)));
const named = (name: string) => expect.objectContaining({ row: expect.objectContaining({ name }) });

/** Spans that hold exactly these seqs. */
function spansOf(seqs: readonly number[]): [number, number][] {
  const spans: [number, number][] = [];
  for (const seq of seqs) {
    const last = spans.at(-1);
    if (last?.[1] === seq - 1) last[1] = seq;
    else spans.push([seq, seq]);
  }
  return spans;
}

describe("reads over three tiers", () => {
  test("any seq may be in any tiers: the answer is what one whole store would give, or HOLE where all lack it", async () => {
    const seqs = fc.uniqueArray(fc.integer({ min: 1, max: newest }), { maxLength: newest }).map((list) => {
      const sorted = list.sort((a, b) => a - b);
      return spansOf(sorted);
    });
    const span = fc.tuple(fc.integer({ min: 1, max: newest }), fc.integer({ min: 1, max: newest })).map(order);
    const bounds = fc.record({
      maxMessages: fc.integer({ min: 1, max: newest }),
      maxBytes: fc.integer({ min: 1, max: 6_000 }),
      fromEnd: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(seqs, seqs, fc.option(span, { nil: undefined }), span, bounds, fc.boolean(), checkMerge),
      { numRuns: 400 },
    );
  });

  test("asks each tier only for what those before it lack", async () => {
    const parts = { window: [40, 60], store: [[21, 60]], history: [[1, 20]] } as const;
    const { reads, calls } = await openTiers(parts);
    expect(await read(reads, 45, 60)).toEqual(upTo(45, 60));
    expect(await read(reads, 11, 60, { maxMessages: 20, fromEnd: true })).toEqual(upTo(41, 60));
    expect(calls).toEqual([]);
    expect(await read(reads, 30, 60)).toEqual(upTo(30, 60));
    expect(calls).toEqual(["store 30-39"]);
    expect(await read(reads, 1, 60)).toEqual(upTo(1, 60));
    expect(await read(reads, 1, 60, { fromEnd: true })).toEqual(upTo(1, 60));
    expect(reads.stats()).toMatchObject({ historyMessages: 40, storeMessages: 10 + 19 + 19, holes: 0 });
  });

  test("a window that is ahead of the range, or behind it, serves its part and no more", async () => {
    const { reads } = await openTiers({ window: [30, 60], store: [[1, 40]], history: [] });
    expect(await read(reads, 25, 40)).toEqual(upTo(25, 40));
    const behind = await openTiers({ window: [10, 20], store: [[1, 40]], history: [] });
    expect(await read(behind.reads, 5, 40)).toEqual(upTo(5, 40));
    expect(await read(behind.reads, 5, 40, { fromEnd: true, maxMessages: 30 })).toEqual(upTo(11, 40));
  });

  test("a window that fails is passed over", async () => {
    const { reads, window, calls } = await openTiers({ window: [1, 60], store: [[1, 60]], history: [] });
    expect(await read(reads, 1, 60)).toEqual(upTo(1, 60));
    expect(calls).toEqual([]);
    await window.close();
    expect(await read(reads, 1, 60)).toEqual(upTo(1, 60));
    expect(await read(reads, 1, 60, { fromEnd: true })).toEqual(upTo(1, 60));
    expect(reads.stats()).toMatchObject({ storeMessages: 120, window: { failedCalls: 1, skippedReads: 1 } });
  });
});

describe("a history that does not answer", () => {
  test("HISTORY_UNAVAILABLE for every read that needs it, and none of a shorter page", async () => {
    const parts = { window: [40, 60], store: [[21, 60]], history: [[1, 20]] } as const;
    const { reads, state } = await openTiers(parts);
    state.failure = new ChappeError("UNAVAILABLE");
    for (const [from, to] of [
      [1, 10],
      [1, 60],
      [20, 60],
    ] as const) {
      await expect(reads.readRange(wanted(from, to))).rejects.toEqual(named("HISTORY_UNAVAILABLE"));
      await expect(reads.readRange(wanted(from, to, { fromEnd: true }))).rejects.toEqual(named("HISTORY_UNAVAILABLE"));
    }
    expect(await read(reads, 21, 60)).toEqual(upTo(21, 60));
    expect(await read(reads, 1, 60, { fromEnd: true, maxMessages: 40 })).toEqual(upTo(21, 60));
    await expect(reads.readRange(wanted(1, 60, { fromEnd: true, maxMessages: 41 }))).rejects.toEqual(
      named("HISTORY_UNAVAILABLE"),
    );
    await expect(findTime(reads, conversationId, { fromSeq: 1, toSeq: newest }, 2_010)).rejects.toEqual(
      named("HISTORY_UNAVAILABLE"),
    );
    state.failure = undefined;
    expect(await read(reads, 1, 60)).toEqual(upTo(1, 60));
    expect(reads.stats()).toMatchObject({ historyFailures: 8, holes: 0 });
  });

  test("damage in it is told as damage", async () => {
    const { reads, state } = await openTiers({ store: [[21, 60]], history: [[1, 20]] });
    state.failure = new ChappeError("CORRUPT");
    await expect(reads.readRange(wanted(1, 60))).rejects.toEqual(named("CORRUPT"));
  });
});

describe("equal reads", () => {
  test("are one while they are on their way, and separate afterwards", async () => {
    const { reads, calls } = await openTiers({ store: [[1, 60]], history: [] });
    const pages = await Promise.all(upTo(1, 50).map(() => read(reads, 1, 60)));
    for (const page of pages) expect(page).toEqual(upTo(1, 60));
    expect(calls).toHaveLength(1);
    await read(reads, 1, 60);
    expect(calls).toHaveLength(2);
    expect(reads.stats().sharedReads).toBe(49);
  });

  test("another range, bound or side is another read; a failure is everybody's and over with them", async () => {
    const { reads, calls } = await openTiers({ store: [[2, 60]], history: [] });
    await Promise.all([
      read(reads, 2, 60),
      read(reads, 3, 60),
      read(reads, 2, 59),
      read(reads, 2, 60, { maxMessages: 5 }),
      read(reads, 2, 60, { maxMessages: 5, fromEnd: true }),
      read(reads, 2, 60, { maxBytes: 50 }),
    ]);
    expect(calls).toHaveLength(6);
    const failures = await Promise.allSettled([read(reads, 1, 60), read(reads, 1, 60)]);
    expect(failures).toEqual(failures.map(() => ({ status: "rejected", reason: named("HOLE") })));
    expect(reads.stats()).toMatchObject({ holes: 1, sharedReads: 1 });
    expect(await read(reads, 2, 3)).toEqual([2, 3]);
  });
});

describe("by time", () => {
  test("the first message at or after it, in few reads", async () => {
    const { reads, calls } = await openTiers({ store: [[1, 60]], history: [] });
    const find = (timeMs: number, fromSeq = 1) => findTime(reads, conversationId, { fromSeq, toSeq: newest }, timeMs);
    for (const seq of [1, 2, 3, 30, 59, 60]) expect(await find(2_000 + seq)).toBe(seq);
    expect(await find(1)).toBe(1);
    expect(await find(1, 20)).toBe(20);
    calls.length = 0;
    expect(await find(2_017)).toBe(17);
    expect(calls.length).toBeLessThanOrEqual(12);
    calls.length = 0;
    expect(await find(3_000)).toBe(61);
    expect(calls).toHaveLength(1);
    expect(await findTime(reads, conversationId, { fromSeq: 1, toSeq: 0 }, 5)).toBe(1);
  });
});

function order([a, b]: [number, number]): [number, number] {
  return a < b ? [a, b] : [b, a];
}

/** One store that has it all, beside the tiers. */
async function checkMerge(
  store: Parts["store"],
  history: Parts["history"],
  window: Parts["window"],
  [fromSeq, toSeq]: [number, number],
  bounds: Pick<RangeWanted, "maxMessages" | "maxBytes" | "fromEnd">,
  fillsUp: boolean,
): Promise<void> {
  const has = new Set<number>();
  for (const [from, to] of [...store, ...history, ...(window === undefined ? [] : [window])])
    for (const seq of upTo(from, to)) has.add(seq);
  const missing = upTo(1, newest).filter((seq) => !has.has(seq));
  // Half of the runs have no hole at all.
  const parts = { window, store, history: fillsUp ? [...history, ...spansOf(missing)] : history };
  if (fillsUp) for (const seq of missing) has.add(seq);
  const { reads } = await openTiers(parts);
  const whole = cutRuns([runOf(1, 1, newest)], { ...bounds, fromSeq, toSeq });
  const expected = seqsOf(whole);
  const isWhole = expected.every((seq) => has.has(seq));
  const answer = reads.readRange(wanted(fromSeq, toSeq, bounds));
  // Whether a missing message would still have fitted by its bytes nobody can say: either answer is right.
  const next = bounds.fromEnd ? expected[0]! - 1 : expected.at(-1)! + 1;
  const isOpen = expected.length < bounds.maxMessages && next >= fromSeq && next <= toSeq && !has.has(next);
  if (isWhole && isOpen && (await answer.then(() => false, ChappeError.from)) !== false) return;
  if (!isWhole) {
    await expect(answer).rejects.toEqual(named("HOLE"));
    return;
  }
  const runs = await answer;
  expect(seqsOf(runs)).toEqual(expected);
  expect(Buffer.concat(runs.map((run) => run.bytes)).equals(Buffer.concat(whole.map((run) => run.bytes)))).toBe(true);
}
