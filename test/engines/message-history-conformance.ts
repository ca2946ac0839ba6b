import { conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { walkTaggedMessages } from "@chappe/mesh/codec/message-events.ts";
import { newGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { historyBlockMessages, type MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageRun } from "@chappe/mesh/ports/message-store.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** One history's data, for one test. */
export interface HistoryHarness {
  open(): Promise<MessageHistory>;
  destroy(): Promise<void>;
}

const all = { maxMessages: 1_000_000, maxBytes: 1_000_000_000 };
const bytesOf = (runs: readonly MessageRun[]): number => runs.reduce((sum, { bytes }) => sum + bytes.length, 0);

/** A run of its own conversation, so that cases can share one table. */
function ownRun(conversationId: Uint8Array, firstSeq: number, count: number, bytes?: number): MessageRun {
  return { ...runOf(1, firstSeq, count, bytes), conversationId };
}

/** The suite that every engine of the MessageHistory port passes. */
export function describeMessageHistory(name: string, createHarness: () => Promise<HistoryHarness>): void {
  describe(`message history: ${name}`, () => {
    let harness: HistoryHarness;
    let history: MessageHistory;
    let id: Uint8Array;
    const read = (from: number, to: number, bounds = {}) => history.readRange(id, from, to, { ...all, ...bounds });
    beforeEach(async () => {
      harness = await createHarness();
      history = await harness.open();
      id = newGroupId();
    });
    afterEach(async () => {
      await history.close();
      await harness.destroy();
    });

    test("a conversation that it does not know is empty", async () => {
      expect(await read(1, 10_000)).toEqual([]);
    });

    test("what is put is read as it was, and is there for others", async () => {
      const runs = [ownRun(id, 1, 3), ownRun(id, 4, 2, 300)];
      await history.put(runs);
      const other = await harness.open();
      const found = await other.readRange(id, 1, 5, all);
      await other.close();
      expect(seqsOf(found)).toEqual(upTo(1, 5));
      expect(Buffer.concat(found.map(({ bytes }) => bytes))).toEqual(Buffer.concat(runs.map(({ bytes }) => bytes)));
      for (const run of found) expect(run.conversationId).toEqual(id);
    });

    test("a put repeats harmlessly, cut otherwise too", async () => {
      await history.put([ownRun(id, 1, 10)]);
      await history.put([ownRun(id, 1, 10)]);
      await history.put([ownRun(id, 3, 4), ownRun(id, 7, 9)]);
      expect(seqsOf(await read(0, 100))).toEqual(upTo(1, 15));
    });

    test("10,000 messages come back whole, in one range over many blocks", async () => {
      for (let first = 1; first <= 10_000; first += 500) await history.put([ownRun(id, first, 500, 50)]);
      const found = await read(1, 20_000);
      expect(seqsOf(found)).toEqual(upTo(1, 10_000));
      expect(seqsOf(await read(1, 20_000, { fromEnd: true }))).toEqual(upTo(1, 10_000));
    });

    test.each([
      [1, 1],
      [255, 257],
      [256, 256],
      [256, 511],
      [255, 512],
      [300, 999],
      [1_000, 1_000],
    ])("the range %i to %i around the edges of blocks", async (from, to) => {
      await history.put([ownRun(id, 1, 1_000)]);
      expect(historyBlockMessages).toBe(256);
      expect(seqsOf(await read(from, to))).toEqual(upTo(from, to));
    });

    test("gaps are not filled", async () => {
      await history.put([ownRun(id, 5, 3), ownRun(id, 10, 1), ownRun(id, 700, 2), ownRun(id, 100_000, 1)]);
      const kept = [5, 6, 7, 10, 700, 701, 100_000];
      const found = await read(1, 200_000);
      expect(seqsOf(found)).toEqual(kept);
      expect(found.map(({ firstSeq, count }) => [firstSeq, count])).toEqual([
        [5, 3],
        [10, 1],
        [700, 2],
        [100_000, 1],
      ]);
      expect(seqsOf(await read(1, 200_000, { fromEnd: true }))).toEqual(kept);
    });

    test("bounds keep the oldest, or the newest from the end", async () => {
      await history.put([ownRun(id, 1, 600, 100)]);
      expect(seqsOf(await read(1, 600, { maxMessages: 50 }))).toEqual(upTo(1, 50));
      expect(seqsOf(await read(1, 600, { maxMessages: 300 }))).toEqual(upTo(1, 300));
      expect(seqsOf(await read(1, 600, { maxMessages: 50, fromEnd: true }))).toEqual(upTo(551, 600));
      expect(seqsOf(await read(1, 600, { maxMessages: 300, fromEnd: true }))).toEqual(upTo(301, 600));
      expect(seqsOf(await read(1, 600, { maxBytes: 1 }))).toEqual([1]);
      expect(seqsOf(await read(1, 600, { maxBytes: 1, fromEnd: true }))).toEqual([600]);
      const some = await read(1, 600, { maxBytes: 20_000 });
      expect(bytesOf(some)).toBeLessThanOrEqual(20_000);
      expect(seqsOf(some)).toEqual(upTo(1, seqsOf(some).length));
      expect(bytesOf(some) + bytesOf(await read(300, 300))).toBeGreaterThan(20_000);
    });

    test("large bodies, more than one request's worth", async () => {
      const runs = [ownRun(id, 200, 120, 40_000), ownRun(id, 320, 2, 1_500_000)];
      await history.put(runs);
      expect(bytesOf(await read(1, 1_000))).toBe(bytesOf(runs));
      expect(seqsOf(await read(1, 1_000))).toEqual(upTo(200, 321));
      expect(seqsOf(await read(1, 1_000, { maxBytes: 100_000, fromEnd: true }))).toEqual([321]);
    });

    test("many conversations lie in all regions, each with its own messages", async () => {
      const ids = Array.from({ length: 400 }, (_, n) => (n % 2 === 0 ? newGroupId() : conversationOf(n)));
      await history.put(ids.map((one, n) => ownRun(one, 255, 2 + (n % 5))));
      const found = await Promise.all(ids.map((one) => history.readRange(one, 1, 1_000, all)));
      for (const [n, runs] of found.entries()) expect(seqsOf(runs)).toEqual(upTo(255, 256 + (n % 5)));
    });

    test("the seq inside each message is that of its place", async () => {
      await history.put([ownRun(id, 500, 30)]);
      const spans = (await read(505, 520)).flatMap(({ bytes }) => [...walkTaggedMessages(bytes)]);
      expect(spans.map(({ seq }) => seq)).toEqual(upTo(505, 520));
    });

    test("nothing at all may be put, and an empty range be read", async () => {
      await history.put([]);
      expect(await read(5, 4)).toEqual([]);
    });

    test("a closed history refuses", async () => {
      const other = await harness.open();
      await other.close();
      await expect(other.put([ownRun(id, 1, 1)])).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
      await expect(other.readRange(id, 1, 1, all)).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    });
  });
}
