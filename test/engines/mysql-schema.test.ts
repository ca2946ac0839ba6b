import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { runOf, seqsOf } from "@chappe/bench/support/store-kit.ts";
import { dayOf, makeDaysAhead } from "@chappe/mesh/engines/mysql/day-partitions.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { readMigrations } from "@chappe/mesh/engines/mysql/migrations.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { openMysql } from "@chappe/mesh/engines/mysql/open-mysql.ts";
import { createMysqlBusinessStore } from "@chappe/mesh/engines/mysql-business-store/create-mysql-business-store.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import type { RowDataPacket } from "mysql2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tempDirectory } from "./log-kit.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

const run = promisify(execFile);
const dayMs = 86_400_000;
const migrationsFolder = join(import.meta.dirname, "../../mesh/engines/mysql/migrations");
let kit: MysqlKit;
beforeAll(async () => {
  kit = await startMysqlKit();
});
afterAll(() => kit?.close());

const urlOf = ({ host, port, user, database }: MysqlOptions): string => `mysql://${user}@${host}:${port}/${database}`;

async function query(options: MysqlOptions, statement: string): Promise<RowDataPacket[]> {
  const connection = await kit.connect(options);
  const [rows] = await connection.query<RowDataPacket[]>(statement);
  connection.destroy();
  return rows;
}

/** `chappe migrate`, as a process of its own. */
async function migrateCommand(options: MysqlOptions, passwordFile: string) {
  const env = { ...process.env, CHAPPE_MYSQL_URL: urlOf(options), CHAPPE_MYSQL_PASSWORD_FILE: passwordFile };
  const script = join(import.meta.dirname, "../../services/main.ts");
  const { stdout } = await run(process.execPath, [script, "migrate"], { env });
  return JSON.parse(stdout) as { fromVersion: number; toVersion: number; applied: string[] };
}

describe("migrations", () => {
  test("two processes at once: one migrates, the other finds it done", async () => {
    const directory = await tempDirectory();
    const passwordFile = join(directory.path, "password");
    const options = await kit.createEmptyDatabase();
    await writeFile(passwordFile, `${options.password}\n`);
    const all = readMigrations().map(({ name }) => name);
    const done = await Promise.all([1, 2].map(() => migrateCommand(options, passwordFile)));
    expect(done.map(({ applied }) => applied).sort((a, b) => a.length - b.length)).toEqual([[], all]);
    expect(done.every(({ toVersion }) => toVersion === all.length)).toBe(true);
    await directory.remove();
  });

  test("a migration that died half way is run again and through", async () => {
    const options = await kit.createEmptyDatabase();
    const [first] = readMigrations();
    await query(options, first!.statements[0]!);
    expect((await migrate(options)).fromVersion).toBe(0);
    await (await createMysqlMessageStore(options)).close();
  });

  test("a column that was added before the death is no obstacle; another mistake is", async () => {
    const options = await kit.createEmptyDatabase();
    const all = readMigrations();
    const outbox = all.findIndex(({ name }) => name.endsWith("-outbox.sql"));
    await migrate(options, { migrations: all.slice(0, outbox) });
    await query(options, all[outbox]!.statements[0]!);
    expect((await migrate(options)).toVersion).toBe(all.length);
    await (await createMysqlBusinessStore(options)).close();
    const twice = { version: all.length + 1, name: "x.sql", checksum: "x", statements: ["CREATE TABLE user (id INT)"] };
    await expect(migrate(options, { migrations: [...all, twice] })).rejects.toThrow();
  });

  test("no migration uses what only MariaDB or only MySQL understands", () => {
    const only =
      /(?:ADD|DROP|MODIFY) (?:COLUMN|INDEX|KEY|CONSTRAINT) IF|CREATE (?:UNIQUE )?INDEX IF|CREATE OR REPLACE|RETURNING|SEQUENCE|INET[46]|\bUUID\b(?!\()|INVISIBLE|VISIBLE|PERSISTENT|ARIA|utf8mb4_0900|uca1400/i;
    for (const { name, statements } of readMigrations())
      for (const statement of statements) expect([name, only.exec(statement)]).toEqual([name, null]);
  });

  test("a migration that was changed afterwards is refused, by migrate and at start, and nothing is run", async () => {
    const options = await kit.createDatabase();
    const directory = await tempDirectory();
    const folder = join(directory.path, "migrations");
    await mkdir(folder);
    for (const { name } of readMigrations())
      await writeFile(join(folder, name), await readFile(join(migrationsFolder, name)));
    const name = readMigrations()[0]!.name;
    await writeFile(join(folder, name), `${await readFile(join(migrationsFolder, name), "utf8")}-- one more\n`);
    const next = String(readMigrations().length + 1).padStart(3, "0");
    await writeFile(join(folder, `${next}-new.sql`), "CREATE TABLE fresh (id INT);\n");
    const refused = /migration 001-messages\.sql is not the one .* restore that file/;
    await expect(migrate(options, { migrations: readMigrations(folder) })).rejects.toThrow(refused);
    expect(await query(options, "SHOW TABLES LIKE 'fresh'")).toEqual([]);
    await query(options, "UPDATE schema_migration SET checksum = REPEAT('0', 64) WHERE version = 1");
    await expect(createMysqlMessageStore(options)).rejects.toThrow(refused);
    await directory.remove();
  });

  test("line ends do not count, and a number that is missing is told", async () => {
    const directory = await tempDirectory();
    const file = join(directory.path, "001-a.sql");
    await writeFile(file, "-- about; this\nCREATE TABLE a (\n  id INT);\n\nCREATE TABLE b (id INT);\n");
    const [unix] = readMigrations(directory.path);
    expect(unix!.statements).toEqual(["CREATE TABLE a (\n  id INT)", "CREATE TABLE b (id INT)"]);
    await writeFile(file, (await readFile(file, "utf8")).replaceAll("\n", "\r\n"));
    expect(readMigrations(directory.path)[0]!.checksum).toBe(unix!.checksum);
    await writeFile(join(directory.path, "003-c.sql"), "");
    expect(() => readMigrations(directory.path)).toThrow(/003-c\.sql: expected 002-name\.sql/);
    await directory.remove();
  });

  test("who cannot get the lock says that another one runs", async () => {
    const options = await kit.createEmptyDatabase();
    const connection = await kit.connect(options);
    const { createHash } = await import("node:crypto");
    const hash = createHash("sha256").update(options.database).digest("hex").slice(0, 16);
    await connection.query(`SELECT GET_LOCK('chappe-migrate-${hash}', 0)`);
    await expect(migrate(options, { waitMs: 1_000 })).rejects.toThrow(/another migration .* wait for it/);
    connection.destroy();
  });
});

describe("a start refuses, and says what to do", () => {
  const stores = { messages: createMysqlMessageStore, business: createMysqlBusinessStore };

  test.each(Object.entries(stores))("%s", async (_name, open) => {
    const empty = await kit.createEmptyDatabase();
    await expect(open(empty)).rejects.toThrow(
      `has version 0, this build needs ${readMigrations().length}: run "chappe migrate"`,
    );
    const options = await kit.createDatabase();
    const wrongPassword = open({ ...options, password: "not-the-one" });
    await expect(wrongPassword).rejects.toMatchObject({ row: { name: "INVALID_ARGUMENT" } });
    await expect(wrongPassword).rejects.toThrow(/refuses user \w+: check the user name and the password of mysqlUrl/);
    await expect(wrongPassword).rejects.not.toThrow(/not-the-one/);
    const noDatabase = open({ ...options, database: "nowhere" });
    await expect(noDatabase).rejects.toThrow(/has no database nowhere .*CREATE DATABASE nowhere/);
    const wrongPort = open({ ...options, port: 1 });
    await expect(wrongPort).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    await expect(wrongPort).rejects.toThrow(/:1 does not answer \(ECONNREFUSED\): check host and port/);
    await expect(open({ ...options, host: "no-such-host.invalid" })).rejects.toThrow(/does not answer .*check host/);
    const known = readMigrations().length;
    await query(options, `INSERT INTO schema_migration VALUES (${known + 1}, 'later.sql', REPEAT('0', 64), 0)`);
    const newer = `has version ${known + 1} (later.sql), this build knows ${known}: run the newer build`;
    await expect(open(options)).rejects.toThrow(newer);
  });
});

describe("days", () => {
  test("partitions are made ahead, once, also after a gap, and rows move to theirs", async () => {
    const options = await kit.createDatabase();
    const mysql = openMysql(options);
    const today = dayOf(Date.now());
    const partitions = async () =>
      query(
        options,
        `SELECT partition_name AS name, partition_description AS end FROM information_schema.partitions
        WHERE table_schema = '${options.database}' AND table_name = 'send' ORDER BY partition_ordinal_position`,
      );
    expect((await partitions()).at(-2)).toEqual({ name: `d${today + 7}`, end: `${today + 8}` });
    expect(await makeDaysAhead(mysql)).toBe(0);
    const store = await createMysqlMessageStore(options);
    const { epoch } = (await store.claim([0])).get(0)!;
    const later = Date.now() + 40 * dayMs;
    const id = Buffer.alloc(16, 7);
    id.writeUIntBE(later, 0, 6);
    const clientMessageId = Uint8Array.from(id);
    const run = runOf(1, 1, 1);
    const send = { ...run, senderId: 7n, clientMessageId, seq: 1, digest: (1n << 64n) - 1n, loggedTimeMs: later };
    const progress = [{ partition: 0, epoch, fromOffset: 0, nextOffset: 1 }];
    await store.commit({ progress, runs: [run], sends: [send], members: [] });
    const rowsOf = async (partition: string) =>
      (await query(options, `SELECT COUNT(*) AS n FROM send PARTITION (${partition})`))[0]!.n;
    expect(await rowsOf("later")).toBe(1);
    expect(await makeDaysAhead(mysql, later)).toBeGreaterThan(7);
    expect(await rowsOf("later")).toBe(0);
    expect(await rowsOf(`d${today + 40}`)).toBe(1);
    expect((await store.findSends([send]))[0]).toMatchObject({ seq: 1, digest: send.digest });
    expect(seqsOf(await store.readRange(run.conversationId, 1, 9, { maxMessages: 9, maxBytes: 999 }))).toEqual([1]);
    expect(await store.expireSends((today + 41) * dayMs)).toBe(1);
    expect(Number((await partitions())[0]?.end)).toBeGreaterThan(today + 41);
    await store.close();
    await mysql.close();
  });
});
