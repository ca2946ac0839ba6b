import { Committing, conversationOf, memberOf, runOf, sendOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { type MariadbServer, startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import {
  createMysqlMessageStore,
  type MysqlMessageStoreOptions,
} from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { MessageStore, StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type CuttingProxy, startCuttingProxy } from "./cutting-proxy.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

const all = { maxMessages: 100_000, maxBytes: 100_000_000 };
/** Within it a partition has a new owner. */
const takeoverMs = 12_000;
const stale = { row: { name: "STALE_OWNER" } };
let server: MariadbServer;
let kit: MysqlKit;
let options: MysqlOptions;
const opened: MessageStore[] = [];

beforeAll(async () => {
  server = await startMariadb();
  kit = await startMysqlKit(server);
});
afterAll(async () => {
  await kit?.close();
  await server?.close();
});
beforeEach(async () => {
  options = await kit.createDatabase();
});
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  await kit.dropDatabase(options);
});

async function open(more: Partial<MysqlMessageStoreOptions> = {}): Promise<MessageStore> {
  const store = await createMysqlMessageStore({ ...options, ...more });
  opened.push(store);
  return store;
}

/** Message `seq` of conversation 1 with its send and a member who joins with it, as the step from offset seq - 1. */
const batchOf = (seq: number, epoch: number): StoreCommit => ({
  progress: [{ partition: 0, epoch, fromOffset: seq - 1, nextOffset: seq }],
  runs: [runOf(1, seq, 1, 300)],
  sends: [sendOf(1, seq)],
  members: [memberOf(1, BigInt(seq), seq)],
});

/** Everything agrees on the first `count` messages and no other. */
async function expectWhole(store: MessageStore, count: number): Promise<void> {
  expect((await store.progress([0])).get(0)?.nextOffset).toBe(count);
  expect(await store.heads([conversationOf(1)])).toEqual([count]);
  expect(seqsOf(await store.readRange(conversationOf(1), 1, count + 10, all))).toEqual(upTo(1, count));
  expect((await store.members(conversationOf(1))).map(({ joinSeq }) => joinSeq)).toEqual(upTo(1, count));
  let sends = 0;
  for await (const page of store.sendIdsSince(0)) sends += page.length / 16;
  expect(sends).toBe(count);
}

describe("owners", () => {
  test("a zombie's commit is refused, changes nothing, and the new owner goes on", async () => {
    const [zombie, owner] = [await open(), await open()];
    await zombie.claim([0]);
    await zombie.commit(batchOf(1, 1));
    expect((await owner.claim([0])).get(0)).toEqual({ nextOffset: 1, epoch: 2 });
    await expect(zombie.commit(batchOf(2, 1))).rejects.toMatchObject(stale);
    await expectWhole(owner, 1);
    await owner.commit(batchOf(2, 2));
    await expect(zombie.commit(batchOf(2, 1))).rejects.toMatchObject(stale);
    await expect(zombie.commit(batchOf(3, 1))).rejects.toMatchObject(stale);
    await expectWhole(owner, 2);
  });

  test("of two commits of one step at once exactly one takes effect", async () => {
    const [a, b] = [await open(), await open()];
    await a.claim([0]);
    for (const seq of upTo(1, 20)) {
      const settled = await Promise.allSettled([a.commit(batchOf(seq, 1)), b.commit(batchOf(seq, 1))]);
      expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
    await expectWhole(a, 20);
  });

  test("a send that is stored already refuses the whole commit", async () => {
    const store = await open();
    await store.claim([0]);
    const first = batchOf(1, 1);
    await store.commit(first);
    const again = { ...batchOf(2, 1), sends: first.sends };
    await expect(store.commit(again)).rejects.toMatchObject({ row: { name: "INTERNAL" } });
    await expectWhole(store, 1);
  });

  test("owners of different partitions commit beside each other into the same tables", async () => {
    const stores = [await open(), await open()];
    for (const [partition, store] of stores.entries()) await store.claim([partition]);
    const commitAll = async (store: MessageStore, partition: number): Promise<void> => {
      for (const seq of upTo(1, 30)) {
        const ids = upTo(1, 10).map((n) => partition * 100 + n);
        await store.commit({
          progress: [{ partition, epoch: 1, fromOffset: seq - 1, nextOffset: seq }],
          runs: ids.map((n) => runOf(n, seq, 1)),
          sends: ids.map((n) => sendOf(n, seq)),
          members: ids.map((n) => memberOf(n, 7n, 1)),
        });
      }
    };
    await Promise.all(stores.map(commitAll));
    expect(await stores[0]!.heads([5, 105].map(conversationOf))).toEqual([30, 30]);
    expect(await stores[0]!.conversationsOf(7n, { limit: 100 })).toHaveLength(20);
  });

  test("a commit larger than a packet is whole", async () => {
    const store = await open();
    const writer = new Committing(store);
    await writer.claim();
    const runs = upTo(1, 60).map((n) => runOf(n, 1, 30, 2_000));
    await writer.commit(
      runs,
      upTo(1, 1_800).map((seq) => sendOf(1, seq)),
      upTo(1, 2_500).map((n) => memberOf(n, 7n, 1)),
    );
    expect(await store.heads(upTo(1, 60).map(conversationOf))).toEqual(upTo(1, 60).map(() => 30));
    expect(seqsOf(await store.readRange(conversationOf(60), 1, 30, all))).toEqual(upTo(1, 30));
  });
});

describe("a commit whose answer is lost", () => {
  let proxy: CuttingProxy;
  beforeEach(async () => {
    proxy = await startCuttingProxy(server);
  });
  afterEach(() => proxy.close());

  const openBehindProxy = async (more: Partial<MysqlMessageStoreOptions> = {}): Promise<MessageStore> => {
    const store = await open({ port: proxy.port, ...more });
    await store.claim([0]);
    await store.commit(batchOf(1, 1));
    return store;
  };

  test.each(["before", "after"] as const)("is settled as done, once: cut %s the server has it", async (cut) => {
    const store = await openBehindProxy();
    for (const seq of upTo(2, 6)) {
      const wasCut = proxy.cutNext(cut);
      await store.commit(batchOf(seq, 1));
      await wasCut;
    }
    await store.commit(batchOf(7, 1));
    await expectWhole(store, 7);
  });

  test(
    "keeps nobody from its partitions: an owner that stands still in a commit holds its locks for seconds",
    async () => {
      const [stuck, heir] = [await openBehindProxy({ statementTimeoutMs: 2 * takeoverMs }), await open()];
      const isHeld = proxy.cutNext("held");
      const outcome = stuck.commit(batchOf(2, 1)).catch((error: unknown) => error);
      await isHeld;
      const claim = (): Promise<unknown> => heir.claim([0]).catch(claim);
      await expect(claim()).resolves.toEqual(new Map([[0, { nextOffset: 1, epoch: 2 }]]));
      await heir.commit(batchOf(2, 2));
      await expectWhole(heir, 2);
      expect(await outcome).toMatchObject({ row: { name: "STALE_OWNER" } });
    },
    takeoverMs,
  );

  test("is settled only when the cut off transaction has ended: its COMMIT may still be on its way", async () => {
    const store = await openBehindProxy();
    const wasCut = proxy.cutNext("late");
    let settled = false;
    const commit = store.commit(batchOf(2, 1)).then(() => {
      settled = true;
    });
    await wasCut;
    const side = await open();
    // InnoDB renews what it says here only when nobody has asked for 100 ms.
    await expect.poll(() => lockWaits(), { timeout: 5_000, interval: 200 }).toBeGreaterThan(0);
    expect(settled).toBe(false);
    await expectWhole(side, 1);
    proxy.releaseCommit();
    await commit;
    await expectWhole(store, 2);
  });

  test("is refused when another owner has come meanwhile, whether or not it took effect", async () => {
    for (const cut of ["before", "after"] as const) {
      const store = await open({ port: proxy.port });
      const { nextOffset, epoch } = (await store.claim([0])).get(0)!;
      const wasCut = proxy.cutNext(cut).then(() => proxy.refuse(true));
      const commit = expect(store.commit(batchOf(nextOffset + 1, epoch))).rejects.toMatchObject(stale);
      await wasCut;
      const owner = await open();
      const claim = (await owner.claim([0])).get(0)!;
      expect(claim).toEqual({ nextOffset: nextOffset + (cut === "after" ? 1 : 0), epoch: epoch + 1 });
      proxy.refuse(false);
      await commit;
      await expectWhole(owner, claim.nextOffset);
    }
  });

  test("that cannot be settled in time says so, and the same batch settles later", async () => {
    const store = await openBehindProxy({ settleMs: 50 });
    const batch = batchOf(2, 1);
    const wasCut = proxy.cutNext("after").then(() => proxy.refuse(true));
    await expect(store.commit(batch)).rejects.toMatchObject({ row: { name: "DEADLINE_EXCEEDED", retryable: true } });
    await wasCut;
    proxy.refuse(false);
    await store.commit(batch);
    await expect(store.commit(batch)).rejects.toMatchObject(stale);
    await expectWhole(store, 2);
  });

  async function lockWaits(): Promise<number> {
    const connection = await kit.connect(options);
    const [rows] = await connection.query("SELECT * FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'");
    connection.destroy();
    return (rows as unknown[]).length;
  }
});

test("kill -9 of the server: commits are whole, what settled is there, and the owner goes on", async () => {
  const store = await open();
  await store.claim([0]);
  let done = 0;
  for (let round = 1; round <= 4; round++) {
    const target = done + 30 + round * 17;
    let killed: Promise<unknown> | undefined;
    while (done < target + 20) {
      if (done === target) killed ??= server.kill().then(() => server.restart());
      const batch = batchOf(done + 1, 1);
      for (;;) {
        try {
          await store.commit(batch);
          break;
        } catch (error) {
          expect(error).toMatchObject({ row: { name: "UNAVAILABLE" } });
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      done++;
    }
    await killed;
    await expectWhole(store, done);
  }
  expect(ChappeError.is(await store.commit(batchOf(1, 1)).catch((error: unknown) => error), "STALE_OWNER")).toBe(true);
});
