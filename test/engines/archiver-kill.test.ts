import { conversationOf } from "@chappe/bench/support/store-kit.ts";
import { type HbaseStandalone, startHbase } from "@chappe/mesh/dev-engines/start-hbase.ts";
import { createHbaseHistory } from "@chappe/mesh/engines/hbase-history/create-hbase-history.ts";
import { HbaseTableClient } from "@chappe/mesh/engines/hbase-history/hbase-table-client.ts";
import { historyTable } from "@chappe/mesh/engines/hbase-history/history-table.ts";
import { historyRowParts } from "@chappe/mesh/engines/history-blocks.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { createMysqlArchiveSource } from "@chappe/mesh/engines/mysql-archive-source/create-mysql-archive-source.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { ArchiveSource } from "@chappe/mesh/ports/archive-source.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { ArchiverChildSettings } from "./archiver-child.ts";
import { type ArchiveLoad, type ArchiverChild, expectWhole, fillDays, startArchiverChild } from "./archiver-kit.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 200_000 });

const table = "archiver-kill";
/** The longest pause of an archiver, and what a busy machine adds to HBase's start. */
const recoveryMs = 100_000;
let hbase: HbaseStandalone;
let kit: MysqlKit;
let mysql: MysqlOptions;
let store: MessageStore;
let source: ArchiveSource;
let history: MessageHistory;
let load: ArchiveLoad;
let cases = 0;
const children: ArchiverChild[] = [];

beforeAll(async () => {
  [hbase, kit] = await Promise.all([startHbase({ tables: [historyTable(table, 4)] }), startMysqlKit()]);
});
afterAll(async () => {
  await kit?.close();
  await hbase?.close();
});
beforeEach(async () => {
  mysql = await kit.createDatabase();
  store = await createMysqlMessageStore(mysql);
  source = await createMysqlArchiveSource(mysql);
  history = createHbaseHistory({ zookeeper: [hbase.zookeeper], table });
  load = await fillDays(store, ++cases * 1_000);
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  for (const part of [history, source, store]) await part.close();
  await kit.dropDatabase(mysql);
});

function start(stopAt?: ArchiverChildSettings["stopAt"], graceMs = 300): ArchiverChild {
  const windows = { afterDays: limits.minArchiveAfterDays, graceMs };
  const child = startArchiverChild({
    ...{ mysql, zookeeper: hbase.zookeeper, table, ...windows },
    ...(stopAt && { stopAt }),
  });
  children.push(child);
  return child;
}

/** Waits until every closed day is archived, and checks that all is there then, closed days in the history alone. */
async function expectArchived(): Promise<void> {
  const openMessages = load.conversations.length * 49;
  await expect
    .poll(
      async () => (await source.days()).filter(({ step, messages }) => step === "archived" && messages > 0).length,
      {
        timeout: recoveryMs,
        interval: 100,
      },
    )
    .toBe(load.closedDays);
  const found = await expectWhole(store, history, load);
  expect(found).toEqual({
    inStore: openMessages,
    inHistory: load.conversations.length * load.head - openMessages,
  });
}

describe("an archiver that is killed", () => {
  test.each([
    ["before it has copied anything", { call: "put", nth: 1 }],
    ["in the middle of the copy", { call: "put", nth: 2 }],
    ["before it writes down that the copy is complete", { call: "save-waiting", nth: 1 }],
    ["when its second day begins", { call: "save-copying", nth: 2 }],
    ["before it verifies", { call: "verify", nth: 1 }],
    ["in the middle of verifying", { call: "verify", nth: 9 }],
    ["before it enters the catalogue", { call: "save-dropping", nth: 1 }],
    ["before it drops", { call: "drop", nth: 1 }],
    ["after it has dropped, before it says so", { call: "after-drop", nth: 1 }],
    ["before its second drop", { call: "drop", nth: 2 }],
  ])("%s: nothing is lost or doubled, and the next one ends it", async (_when, stopAt) => {
    const child = start(stopAt);
    await child.said(/^stopped$/);
    await expectWhole(store, history, load);
    await child.kill();
    await expectWhole(store, history, load);
    start();
    await expectArchived();
  });
});

describe("HBase that is killed", () => {
  test("just before a drop, which goes on: what was verified is there when it is back", async () => {
    const child = start({ call: "drop", nth: 1 });
    await child.said(/^stopped$/);
    await hbase.kill();
    child.goOn();
    await child.said(/^dropped true$/);
    await hbase.restart();
    await expectArchived();
  });

  test("just after a drop, with the archiver: both come back and go on", async () => {
    const child = start({ call: "after-drop", nth: 1 });
    await child.said(/^stopped$/);
    await hbase.kill();
    await child.kill();
    await hbase.restart();
    start();
    await expectArchived();
  });

  test("in the middle of the copy: the archiver pauses, MySQL keeps every day, and it goes on by itself", async () => {
    const child = start({ call: "put", nth: 2 });
    await child.said(/^stopped$/);
    await hbase.kill();
    child.goOn();
    await child.said(/^state paused/);
    const kept = await Promise.all(
      load.conversations.map((n) =>
        store.readRange(conversationOf(n), 1, 100_000, { maxMessages: 1e6, maxBytes: 1e9 }),
      ),
    );
    const messages = kept.flat().reduce((sum, { count }) => sum + count, 0);
    expect(messages).toBe(load.conversations.length * load.head);
    await hbase.restart();
    await expectArchived();
  });
});

test("cells that HBase has lost after the copy are missed by the verification, and copied again", async () => {
  const child = start({ call: "verify", nth: 1 });
  await child.said(/^stopped$/);
  const client = new HbaseTableClient({ zookeeper: [hbase.zookeeper], table });
  const lost = [load.conversations[3]!, load.conversations[7]!].flatMap((n) =>
    historyRowParts(conversationOf(n), 1, 200),
  );
  const columnValue = [
    { family: Buffer.from("m"), qualifierValue: [{ qualifier: Buffer.alloc(0), deleteType: "DELETE_FAMILY" }] },
  ];
  await client.run(
    lost.map(({ key: row }) => ({ row, body: { mutation: { row, mutateType: "DELETE", columnValue } } })),
  );
  client.close();
  child.goOn();
  await child.said(/^state leading \d+ [1-9]/);
  await expectArchived();
  expect((await source.days()).reduce((sum, { recopies }) => sum + recopies, 0)).toBeGreaterThan(0);
});

test("messages that come for a closed day while it waits, or while it is verified, are moved too", async () => {
  const child = start({ call: "verify", nth: 4 });
  await child.said(/^stopped$/);
  const more = await fillDays(store, load.conversations[0]! - 500);
  child.goOn();
  await expect
    .poll(async () => (await source.days()).reduce((sum, { recopies }) => sum + recopies, 0), { timeout: 30_000 })
    .toBeGreaterThan(0);
  await expect
    .poll(async () => (await expectWhole(store, history, more)).inStore, { timeout: 60_000, interval: 500 })
    .toBe(more.conversations.length * 49);
  await expectWhole(store, history, load);
});
