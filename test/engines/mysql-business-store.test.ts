import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createMysqlBusinessStore } from "@chappe/mesh/engines/mysql-business-store/create-mysql-business-store.ts";
import { createSqliteBusinessStore } from "@chappe/mesh/engines/sqlite-business-store/create-sqlite-business-store.ts";
import type { RowDataPacket } from "mysql2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeBusinessStore } from "./business-store-conformance.ts";
import { tempDirectory } from "./log-kit.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

let kit: MysqlKit;
beforeAll(async () => {
  kit = await startMysqlKit();
});
afterAll(() => kit?.close());

describeBusinessStore("MySQL", async () => {
  const options = await kit.createDatabase();
  return {
    open: () => createMysqlBusinessStore(options),
    keeps: true,
    destroy: () => kit.dropDatabase(options),
  };
});

test("of two processes that make one secret, the second answers the first one's", async () => {
  const options = await kit.createDatabase();
  const [slow, fast] = [await createMysqlBusinessStore(options), await createMysqlBusinessStore(options)];
  const answer = await slow.secret("key", async () => {
    expect(await fast.secret("key", async () => Uint8Array.of(1))).toEqual(Uint8Array.of(1));
    return Uint8Array.of(2);
  });
  expect(answer).toEqual(Uint8Array.of(1));
  expect(await fast.secret("key", async () => Uint8Array.of(3))).toEqual(Uint8Array.of(1));
  await slow.close();
  await fast.close();
});

test("texts come back as they were, and cannot end a statement", async () => {
  const options = await kit.createDatabase();
  const store = await createMysqlBusinessStore(options);
  const displayName = "'; DROP TABLE user; -- \\ é 💬 ?";
  await store.insertUser({ userId: 1n, name: "ann", displayName, passwordHash: "$argon2id$x", sessionVersion: 1 });
  expect(await store.usersByName(["ann", "' OR 1=1 -- "])).toMatchObject([{ displayName }]);
  await store.close();
});

test("the tables are those of the SQLite store: same names, same columns, same order", async () => {
  const directory = await tempDirectory();
  await (await createSqliteBusinessStore({ directory: directory.path })).close();
  const database = new DatabaseSync(join(directory.path, "business.db"), { readOnly: true });
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  expect(tables.length).toBeGreaterThan(3);
  const options = await kit.createDatabase();
  const connection = await kit.connect(options);
  for (const { name } of tables) {
    const own = database.prepare(`PRAGMA table_info("${name}")`).all();
    const [theirs] = await connection.query<RowDataPacket[]>(`SHOW COLUMNS FROM \`${name}\``);
    expect([name, ...theirs.map(({ Field }) => Field)]).toEqual([name, ...own.map((column) => column.name)]);
  }
  connection.destroy();
  database.close();
  await directory.remove();
});
