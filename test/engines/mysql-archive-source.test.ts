import { createHash } from "node:crypto";
import { Committing, runOf } from "@chappe/bench/support/store-kit.ts";
import { dayOf } from "@chappe/mesh/engines/mysql/day-partitions.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { createMysqlArchiveSource } from "@chappe/mesh/engines/mysql-archive-source/create-mysql-archive-source.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import type { Connection } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeArchiveSource } from "./archive-source-conformance.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

const lockOf = ({ database }: MysqlOptions): string =>
  `chappe-archive-${createHash("sha256").update(database).digest("hex").slice(0, 16)}`;
let kit: MysqlKit;
beforeAll(async () => {
  kit = await startMysqlKit();
});
afterAll(() => kit?.close());

describeArchiveSource("MySQL", async () => {
  const options = await kit.createDatabase();
  const today = dayOf(Date.now());
  return {
    store: await createMysqlMessageStore(options),
    source: await createMysqlArchiveSource(options),
    other: () => createMysqlArchiveSource(options),
    // A new database keeps whatever is older than a week as one.
    days: [today - 8, today - 5, today - 1],
    destroy: () => kit.dropDatabase(options),
  };
});

describe("the fence of late commits", () => {
  let options: MysqlOptions;
  let connection: Connection;
  const old = dayOf(Date.now()) - 8;
  const lateRun = () => runOf(1, 1, 1, 20, old * 86_400_000);
  beforeEach(async () => {
    options = await kit.createDatabase();
    connection = await kit.connect(options);
  });
  afterEach(async () => {
    connection.destroy();
    await kit.dropDatabase(options);
  });

  test("a late commit waits while a day is being dropped, and lands in the next one", async () => {
    const [store, source] = [await createMysqlMessageStore(options), await createMysqlArchiveSource(options)];
    const writer = new Committing(store);
    await writer.claim();
    // Whoever drops holds this row from its last look to the end of the drop.
    await connection.query("START TRANSACTION");
    await connection.query("SELECT commits FROM archive_late WHERE id = 1 FOR UPDATE");
    let committed = false;
    const commit = writer.commit([lateRun()]).then(() => {
      committed = true;
    });
    await expect.poll(() => lockWaits(), { timeout: 5_000, interval: 200 }).toBeGreaterThan(0);
    // The waiting commit must not hold the table, or the drop would wait for it for ever.
    await connection.query("SELECT 1");
    const side = await kit.connect(options);
    await side.query("SET lock_wait_timeout = 2");
    await side.query(`ALTER TABLE message_run DROP PARTITION d${old}`);
    side.destroy();
    expect(committed).toBe(false);
    await connection.query("COMMIT");
    await commit;
    const runs = await source.lead((lead) => lead.readPage(old + 1, undefined, 10));
    expect(runs).toHaveLength(1);
    await source.close();
    await store.close();
  });

  test("commits of today do not touch it", async () => {
    const store = await createMysqlMessageStore(options);
    const writer = new Committing(store);
    await writer.claim();
    await connection.query("START TRANSACTION");
    await connection.query("SELECT commits FROM archive_late WHERE id = 1 FOR UPDATE");
    await writer.commit([runOf(1, 1, 1, 20, Date.now())]);
    await writer.commit([runOf(1, 2, 1, 20, Date.now() - 86_400_000)]);
    await connection.query("COMMIT");
    await store.close();
  });

  async function lockWaits(): Promise<number> {
    const side = await kit.connect(options);
    const [rows] = await side.query("SELECT * FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'");
    side.destroy();
    return (rows as unknown[]).length;
  }
});

test("a lead ends with its session: what changes anything is refused then, and another may lead", async () => {
  const options = await kit.createDatabase();
  const [source, other] = [await createMysqlArchiveSource(options), await createMysqlArchiveSource(options)];
  const connection = await kit.connect(options);
  await source.lead(async (lead) => {
    const mark = await lead.lateMark();
    const [rows] = await connection.query("SELECT IS_USED_LOCK(info) AS id FROM (SELECT ? AS info) x", [
      lockOf(options),
    ]);
    await connection.query(`KILL ${(rows as { id: number }[])[0]!.id}`);
    const [day] = await lead.closedDays(dayOf(Date.now()) - 2);
    await expect(lead.drop(day!.day, mark)).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    await expect(lead.save(day!)).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    expect(await other.lead(async () => "leads")).toBe("leads");
  });
  connection.destroy();
  for (const one of [source, other]) await one.close();
  await kit.dropDatabase(options);
});
