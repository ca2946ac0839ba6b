import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { createHbaseTables, type HbaseTable } from "@chappe/mesh/dev-engines/hbase-tables.ts";
import { type HbaseStandalone, startHbase } from "@chappe/mesh/dev-engines/start-hbase.ts";
import { createHbaseHistory } from "@chappe/mesh/engines/hbase-history/create-hbase-history.ts";
import { historyTable } from "@chappe/mesh/engines/hbase-history/history-table.ts";
import { newGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hbaseForTests, type TestEngine } from "./kit/engines-for-tests.ts";
import { describeMessageHistory } from "./message-history-conformance.ts";

const startMs = 150_000;
const all = { maxMessages: 1_000_000, maxBytes: 1_000_000_000 };
const table: HbaseTable = historyTable(`history-${crypto.randomUUID()}`, 8);
let hbase: TestEngine<string, HbaseStandalone>;
beforeAll(async () => {
  hbase = await hbaseForTests([table]);
}, startMs);
afterAll(() => hbase?.close());

const open = (
  more: { timeoutMs?: number; callTimeoutMs?: number; table?: string; zookeeper?: string[] } = {},
): MessageHistory => createHbaseHistory({ zookeeper: [hbase.at], table: table.name, ...more });

describeMessageHistory("HBase", async () => ({ open: async () => open(), destroy: async () => {} }));

/** In front of a server: every answer of its comes so much later. */
async function startSlowProxy(target: string, delayMs: number) {
  const [host, port] = target.split(":") as [string, string];
  const server = createServer((client) => {
    const behind = connect(Number(port), host);
    client.pipe(behind).on("error", () => client.destroy());
    client.on("error", () => behind.destroy());
    behind.on("data", (chunk) => setTimeout(() => client.write(chunk), delayMs));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => void server.close() };
}

describe("an HBase that is not there", () => {
  const unavailable = { row: { name: "UNAVAILABLE" } };

  test("a table that nobody has made is named", async () => {
    const history = open({ table: "nobody-made-it", timeoutMs: 2_000 });
    await expect(history.readRange(newGroupId(), 1, 2, all)).rejects.toThrow(/no table nobody-made-it/);
    await history.close();
  });

  test("an address where nothing listens is UNAVAILABLE in time", async () => {
    const history = open({ zookeeper: ["127.0.0.1:1"], timeoutMs: 800 });
    await expect(history.put([runOf(1, 1, 1)])).rejects.toMatchObject(unavailable);
    await history.close();
  });

  test("one that is found more slowly than an operation may take is found by the next", async () => {
    const proxy = await startSlowProxy(hbase.at, 600);
    const history = open({ zookeeper: [proxy.address], timeoutMs: 800 });
    const read = () => history.readRange(newGroupId(), 1, 2, all);
    await expect(read()).rejects.toMatchObject(unavailable);
    await expect.poll(read, { timeout: 10_000 }).toEqual([]);
    await history.close();
    proxy.close();
  });

  test("closing ends what waits", async () => {
    const history = open({ zookeeper: ["127.0.0.1:1"], timeoutMs: 3_000 });
    const waiting = expect(history.put([runOf(1, 1, 1)])).rejects.toMatchObject(unavailable);
    await history.close();
    await waiting;
  });
});

/** Own servers alone may be killed. */
describe("an HBase that is killed", () => {
  let own: HbaseStandalone;
  beforeAll(async () => {
    own = hbase.own ?? (await startHbase({ tables: [table] }));
  }, startMs);
  afterAll(async () => {
    if (hbase.own === undefined) await own?.close();
  });

  test("is UNAVAILABLE meanwhile, has kept everything, and is found again", { timeout: startMs }, async () => {
    const id = newGroupId();
    const history = open({ zookeeper: [own.zookeeper], timeoutMs: 2_000 });
    const put = (first: number) => history.put([{ ...runOf(1, first, 300), conversationId: id }]);
    const read = async () => seqsOf(await history.readRange(id, 1, 10_000, all));
    for (let first = 1; first <= 1_500; first += 300) await put(first);
    await own.kill();
    await expect(put(1_501)).rejects.toMatchObject({ row: { name: "UNAVAILABLE", retryable: true } });
    await expect(read()).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    await own.restart();
    await expect.poll(read, { timeout: 30_000, interval: 500 }).toEqual(upTo(1, 1_500));
    await put(1_501);
    expect(await read()).toEqual(upTo(1, 1_800));
    await history.close();
  });

  test("one that stands still is UNAVAILABLE in time", { timeout: startMs }, async () => {
    // Calls are given up within the operation, those to ZooKeeper too; their answers come when it goes on.
    const history = open({ zookeeper: [own.zookeeper], timeoutMs: 1_500, callTimeoutMs: 300 });
    await history.put([runOf(1, 1, 1)]);
    await own.kill("SIGSTOP");
    await expect(history.put([runOf(1, 2, 1)])).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    await own.kill("SIGCONT");
    await expect.poll(() => history.put([runOf(1, 2, 1)]).then(() => "put"), { timeout: 30_000 }).toBe("put");
    await history.close();
  });

  test("a table is made once: a second time changes nothing", { timeout: startMs }, async () => {
    const id = newGroupId();
    const history = open({ zookeeper: [own.zookeeper] });
    await history.put([{ ...runOf(1, 1, 5), conversationId: id }]);
    await createHbaseTables(own.zookeeper, [table]);
    expect(seqsOf(await history.readRange(id, 1, 5, all))).toEqual(upTo(1, 5));
    await history.close();
  });
});
