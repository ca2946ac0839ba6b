import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createMemoryBusinessStore } from "@chappe/mesh/engines/memory-stores/create-memory-business-store.ts";
import { createSqliteBusinessStore } from "@chappe/mesh/engines/sqlite-business-store/create-sqlite-business-store.ts";
import { expect, test } from "vitest";
import { describeBusinessStore } from "./business-store-conformance.ts";
import { tempDirectory } from "./log-kit.ts";

describeBusinessStore("memory", async () => ({
  open: async () => createMemoryBusinessStore(),
  keeps: false,
  destroy: async () => {},
}));

describeBusinessStore("sqlite", async () => {
  const directory = await tempDirectory();
  return {
    open: () => createSqliteBusinessStore({ directory: directory.path }),
    keeps: true,
    destroy: () => directory.remove(),
  };
});

test("sqlite: a store of the version before gets what is new, and keeps what it has", async () => {
  const directory = await tempDirectory();
  const database = new DatabaseSync(join(directory.path, "business.db"));
  database.exec(`CREATE TABLE user(
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
      password_hash TEXT NOT NULL, session_version INTEGER NOT NULL);
    CREATE TABLE session(
      id INTEGER PRIMARY KEY, user INTEGER NOT NULL, refresh_hash BLOB NOT NULL, expires_time_ms INTEGER NOT NULL);
    CREATE TABLE chat_group(id BLOB PRIMARY KEY, title TEXT NOT NULL, owner INTEGER NOT NULL,
      created_time_ms INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO user VALUES(1, 'ann', 'Ann', 'x', 3);
    INSERT INTO chat_group VALUES(x'80000000000000000000000000000001', 'old', 1, 7);
    PRAGMA user_version = 1`);
  database.close();
  const store = await createSqliteBusinessStore({ directory: directory.path });
  expect(await store.usersById([1n])).toMatchObject([{ displayName: "Ann", sessionVersion: 3, profileVersion: 1 }]);
  const groupId = Uint8Array.from(Buffer.from("80000000000000000000000000000001", "hex"));
  expect(await store.updateGroup(groupId, { title: "new" })).toMatchObject({ version: 2, createdTimeMs: 7 });
  expect(await store.outbox(9)).toHaveLength(1);
  await store.close();
  await directory.remove();
});
