import {
  Committing,
  conversationOf,
  idOf,
  memberOf,
  runOf,
  sendOf,
  seqsOf,
  upTo,
} from "@chappe/bench/support/store-kit.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

/** One store's data, for one test. */
export interface StoreHarness {
  open(): Promise<MessageStore>;
  /** Moves everything out of memory, when the engine has such a place. */
  settle?(store: MessageStore): Promise<void>;
  /** Whether closing and opening again keeps the data. */
  readonly keeps: boolean;
  destroy(): Promise<void>;
}

interface Bench {
  harness: StoreHarness;
  store: MessageStore;
  writer: Committing;
}

const all = { maxMessages: 10_000, maxBytes: 10_000_000 };

/** The suite that every engine of the MessageStore port passes. */
export function describeMessageStore(name: string, createHarness: () => Promise<StoreHarness>): void {
  describe(`message store: ${name}`, () => {
    const bench = {} as Bench;
    beforeEach(async () => {
      bench.harness = await createHarness();
      bench.store = await bench.harness.open();
      bench.writer = new Committing(bench.store);
      await bench.writer.claim();
    });
    afterEach(async () => {
      await bench.store.close();
      await bench.harness.destroy();
    });
    describe("progress", () => progressTests(bench));
    describe("ranges", () => rangeTests(bench));
    describe("sends", () => sendTests(bench));
    describe("members", () => memberTests(bench));
    describe("reopening", () => reopenTests(bench));
  });
}

function progressTests(bench: Bench): void {
  test("each claim raises the epoch by one and keeps the offset; each partition on its own", async () => {
    const { store, writer } = bench;
    expect(await store.progress([0, 1])).toEqual(new Map([[0, { nextOffset: 0, epoch: 1 }]]));
    await writer.commit([]);
    expect((await store.claim([0, 1])).get(0)).toEqual({ nextOffset: 1, epoch: 2 });
    expect((await store.progress([1])).get(1)).toEqual({ nextOffset: 0, epoch: 1 });
  });

  test.each([
    ["an older epoch", { epoch: 0 }],
    ["a later epoch", { epoch: 2 }],
    ["an offset that is over", { fromOffset: 0 }],
    ["an offset that is not reached", { fromOffset: 2 }],
    ["a partition never claimed", { partition: 9 }],
  ])("refuses a commit of %s, and nothing of it takes effect", async (_name, change) => {
    const { store, writer } = bench;
    await writer.commit([runOf(1, 1, 1)]);
    const send = sendOf(1, 2);
    const good = writer.step();
    const batch = { runs: [runOf(1, 2, 1)], sends: [send], members: [memberOf(1, 7n, 1)] };
    const wrong = { ...good, ...change };
    await expect(store.commit({ progress: [wrong], ...batch })).rejects.toMatchObject({ row: { name: "STALE_OWNER" } });
    expect(await store.heads([conversationOf(1)])).toEqual([1]);
    expect(await store.findSends([send])).toEqual([undefined]);
    expect(await store.members(conversationOf(1))).toEqual([]);
    expect((await store.progress([0])).get(0)).toEqual({ nextOffset: 1, epoch: 1 });
  });

  test("one wrong step among good ones refuses all", async () => {
    const { store, writer } = bench;
    await store.claim([3]);
    const progress = [writer.step(), { partition: 3, epoch: 7, fromOffset: 0, nextOffset: 1 }];
    await expect(store.commit({ progress, runs: [], sends: [], members: [] })).rejects.toMatchObject({
      row: { name: "STALE_OWNER" },
    });
    expect((await store.progress([0])).get(0)?.nextOffset).toBe(0);
  });

  test("a repeated commit is refused", async () => {
    const { store, writer } = bench;
    const progress = [writer.step()];
    const batch = { progress, runs: [runOf(1, 1, 2)], sends: [], members: [] };
    await store.commit(batch);
    await expect(store.commit(batch)).rejects.toMatchObject({ row: { name: "STALE_OWNER" } });
    expect(await store.heads([conversationOf(1)])).toEqual([2]);
  });
}

function rangeTests(bench: Bench): void {
  const fill = async (): Promise<void> => {
    const { harness, store, writer } = bench;
    await writer.commit([runOf(1, 1, 3), runOf(2, 1, 1)]);
    await writer.commit([runOf(1, 4, 1)]);
    await harness.settle?.(store);
    await writer.commit([runOf(1, 5, 4)]);
    await writer.commit([runOf(1, 9, 2)]);
  };
  const read = async (from: number, to: number, options = {}): Promise<number[]> =>
    seqsOf(await bench.store.readRange(conversationOf(1), from, to, { ...all, ...options }));

  test("conversations are listed in order of id from one on, up to a limit", async () => {
    const { harness, store, writer } = bench;
    await writer.commit([runOf(3, 1, 1), runOf(1, 1, 2), runOf(7, 1, 1)]);
    await harness.settle?.(store);
    await writer.commit([runOf(5, 1, 1), runOf(3, 2, 1)]);
    const listed = async (from: number, limit: number) =>
      (await store.conversationsFrom(conversationOf(from), limit)).map((id) => id[15]);
    expect(await listed(0, 9)).toEqual([1, 3, 5, 7]);
    expect(await listed(3, 2)).toEqual([3, 5]);
    expect(await listed(8, 2)).toEqual([]);
  });

  test("heads are in the order asked, 0 where there is nothing", async () => {
    await fill();
    expect(await bench.store.heads([2, 3, 1].map(conversationOf))).toEqual([1, 0, 10]);
    expect(await bench.store.heads([])).toEqual([]);
  });

  test("a range is cut to whole messages inside it, wherever runs begin and end", async () => {
    await fill();
    for (let from = 1; from <= 10; from++)
      for (let to = from; to <= 11; to++) expect(await read(from, to)).toEqual(upTo(from, Math.min(to, 10)));
    expect(await read(11, 20)).toEqual([]);
    expect(await read(5, 4)).toEqual([]);
    expect(await bench.store.readRange(conversationOf(8), 1, 9, all)).toEqual([]);
  });

  test("too many messages: the oldest stay, or the newest on request", async () => {
    await fill();
    expect(await read(2, 10, { maxMessages: 4 })).toEqual([2, 3, 4, 5]);
    expect(await read(2, 9, { maxMessages: 4, fromEnd: true })).toEqual([6, 7, 8, 9]);
  });

  test("too many bytes: cut, with at least one message", async () => {
    await fill();
    expect(await read(3, 10, { maxBytes: 1 })).toEqual([3]);
    expect(await read(3, 10, { maxBytes: 1, fromEnd: true })).toEqual([10]);
    const some = await read(1, 10, { maxBytes: 200 });
    expect(some.length).toBeGreaterThan(1);
    expect(some.length).toBeLessThan(10);
    expect(some).toEqual(upTo(1, some.length));
  });

  test("contents come back as they were, large ones too", async () => {
    const { harness, store, writer } = bench;
    const large = runOf(4, 1, 300, 1_500);
    await writer.commit([large]);
    await harness.settle?.(store);
    const runs = await store.readRange(conversationOf(4), 1, 300, all);
    expect(Buffer.compare(Buffer.concat(runs.map(({ bytes }) => bytes)), large.bytes)).toBe(0);
  });
}

function sendTests(bench: Bench): void {
  test("finds sends by all three parts of the key, in the order asked", async () => {
    const { harness, store, writer } = bench;
    const rows = [sendOf(1, 1), sendOf(1, 2), sendOf(2, 1)];
    const [a, b, c] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]];
    await writer.commit([], [a, b]);
    await harness.settle?.(store);
    await writer.commit([], [c]);
    const others = [
      { ...a, senderId: 8n },
      { ...a, conversationId: conversationOf(2) },
      { ...a, clientMessageId: idOf() },
    ];
    expect(await store.findSends([c, ...others, a, b])).toEqual([c, undefined, undefined, undefined, a, b]);
  });

  test("one id may be a send of several people and conversations", async () => {
    const { harness, store, writer } = bench;
    const first = sendOf(1, 1);
    const rows = [first, { ...first, senderId: 9n, seq: 2 }, { ...first, conversationId: conversationOf(2), seq: 1 }];
    await writer.commit([], rows);
    expect(await store.findSends(rows)).toEqual(rows);
    await harness.settle?.(store);
    expect(await store.findSends(rows)).toEqual(rows);
  });

  test("tells ids from a time on, and forgets those before one", async () => {
    const { harness, store, writer } = bench;
    const now = Date.now();
    const [old, young] = [sendOf(1, 1, now - 100_000), sendOf(1, 2, now)];
    await writer.commit([], [old]);
    await harness.settle?.(store);
    await writer.commit([], [young]);
    const ids = async (sinceMs: number): Promise<Set<string>> => {
      const found = new Set<string>();
      for await (const page of store.sendIdsSince(sinceMs))
        for (let at = 0; at < page.length; at += 16) found.add(Buffer.from(page.subarray(at, at + 16)).toString("hex"));
      return found;
    };
    const hex = ({ clientMessageId }: typeof old): string => Buffer.from(clientMessageId).toString("hex");
    expect(await ids(now - 200_000)).toEqual(new Set([hex(old), hex(young)]));
    expect(await ids(now - 50_000)).toContain(hex(young));
    await harness.settle?.(store);
    expect(await store.expireSends(now - 50_000)).toBe(1);
    expect(await store.findSends([old, young])).toEqual([undefined, young]);
  });
}

function memberTests(bench: Bench): void {
  const row = async (userId: bigint) => {
    const { joinSeq, leaveSeq, role } = (await bench.store.members(conversationOf(1))).find(
      (member) => member.userId === userId,
    )!;
    return { joinSeq, leaveSeq, role };
  };

  test.each([false, true])(
    "who leaves keeps the join, who comes again gets a new one (settled between: %s)",
    async (between) => {
      const { harness, store, writer } = bench;
      const settle = async (): Promise<void> => (between ? harness.settle?.(store) : undefined);
      await writer.commit([], [], [memberOf(1, 5n, 3)]);
      await settle();
      await writer.commit([], [], [memberOf(1, 5n, 0, 8)]);
      expect(await row(5n)).toEqual({ joinSeq: 3, leaveSeq: 8, role: 0 });
      await settle();
      await writer.commit([], [], [memberOf(1, 5n, 12)]);
      expect(await row(5n)).toEqual({ joinSeq: 12, leaveSeq: 0, role: 1 });
      await settle();
      expect(await row(5n)).toEqual({ joinSeq: 12, leaveSeq: 0, role: 1 });
    },
  );

  test.each([false, true])("a repeated change moves neither join nor leave (settled between: %s)", async (between) => {
    const { harness, store, writer } = bench;
    const settle = async (): Promise<void> => (between ? harness.settle?.(store) : undefined);
    await writer.commit([], [], [memberOf(1, 5n, 3), memberOf(1, 6n, 3)]);
    await settle();
    await writer.commit([], [], [memberOf(1, 5n, 4), memberOf(1, 6n, 0, 5)]);
    await settle();
    await writer.commit([], [], [memberOf(1, 6n, 0, 9)]);
    await settle();
    expect(await row(5n)).toMatchObject({ joinSeq: 3, leaveSeq: 0 });
    expect(await row(6n)).toMatchObject({ joinSeq: 3, leaveSeq: 5 });
  });

  test("members are in order of user id, past ones included", async () => {
    const { harness, store, writer } = bench;
    const large = (1n << 62n) + 5n;
    await writer.commit([], [], [memberOf(1, 9n, 1), memberOf(1, large, 1)]);
    await harness.settle?.(store);
    await writer.commit([], [], [memberOf(1, 2n, 2), memberOf(1, 9n, 0, 3)]);
    expect((await store.members(conversationOf(1))).map(({ userId }) => userId)).toEqual([2n, 9n, large]);
    expect(await store.members(conversationOf(7))).toEqual([]);
  });

  test("a user's conversations come in pages, in order of id, with their heads", async () => {
    const { harness, store, writer } = bench;
    const numbers = upTo(1, 9);
    const even = numbers.filter((n) => n % 2 === 0);
    await writer.commit(
      even.map((n) => runOf(n, 1, n)),
      [],
      even.map((n) => memberOf(n, 5n, 1)),
    );
    await harness.settle?.(store);
    await writer.commit(
      [runOf(3, 1, 2)],
      [],
      [1, 3, 5, 7, 9].map((n) => memberOf(n, 5n, 1)),
    );
    await writer.commit([runOf(2, 3, 1)], [], [memberOf(5, 5n, 0, 1), memberOf(5, 6n, 1)]);
    const seen: [number, number, number][] = [];
    let after: Uint8Array | undefined;
    do {
      const page = await store.conversationsOf(5n, { limit: 2, ...(after && { afterConversationId: after }) });
      for (const { conversationId, headSeq, leaveSeq } of page) seen.push([conversationId[15]!, headSeq, leaveSeq]);
      after = page.length === 2 ? page[1]!.conversationId : undefined;
    } while (after !== undefined);
    const heads = new Map([
      [2, 3],
      [3, 2],
      [4, 4],
      [6, 6],
      [8, 8],
    ]);
    expect(seen).toEqual(numbers.map((n) => [n, heads.get(n) ?? 0, n === 5 ? 1 : 0]));
    expect(await store.conversationsOf(99n, { limit: 5 })).toEqual([]);
  });
}

function reopenTests(bench: Bench): void {
  test("everything committed is there again", async () => {
    if (!bench.harness.keeps) return;
    const { writer } = bench;
    const send = sendOf(1, 1);
    await writer.commit([runOf(1, 1, 5)], [send], [memberOf(1, 7n, 1)]);
    await bench.store.close();
    bench.store = await bench.harness.open();
    const { store } = bench;
    expect(await store.heads([conversationOf(1)])).toEqual([5]);
    expect(seqsOf(await store.readRange(conversationOf(1), 1, 5, all))).toEqual(upTo(1, 5));
    expect(await store.findSends([send])).toEqual([send]);
    expect(await store.members(conversationOf(1))).toEqual([memberOf(1, 7n, 1)]);
    expect((await store.claim([0])).get(0)).toEqual({ nextOffset: 1, epoch: 2 });
  });

  test("a closed store refuses", async () => {
    const store = await bench.harness.open().catch(() => bench.store);
    await store.close();
    await expect(store.heads([conversationOf(1)])).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
  });
}
