import { createHash } from "node:crypto";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import { makeDaysAhead } from "./day-partitions.ts";
import { assertKnown, type Migration, readMigrations } from "./migrations.ts";
import { isDuplicateColumn } from "./mysql-error.ts";
import type { MysqlOptions } from "./mysql-options.ts";
import { type MysqlSession, openMysql } from "./open-mysql.ts";
import { readApplied } from "./schema-version.ts";
import { Sql, sql } from "./sql.ts";

/** What `migrate` did. */
export interface Migrated {
  readonly fromVersion: number;
  readonly toVersion: number;
  /** Names of the migrations that were run, in order. */
  readonly applied: readonly string[];
}

/** Settings of `migrate`. */
export interface MigrateSettings {
  /** How long to wait for another process that migrates. @default limits.mysqlMigrateWaitMs */
  readonly waitMs?: number;
  /** @default those of this build */
  readonly migrations?: readonly Migration[];
}

const registry = sql`CREATE TABLE IF NOT EXISTS schema_migration (
  version INT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(200) CHARACTER SET ascii NOT NULL,
  checksum CHAR(64) CHARACTER SET ascii NOT NULL, applied_time_ms BIGINT UNSIGNED NOT NULL) ENGINE = InnoDB`;

const addsOneColumn = /^ALTER TABLE \S+ ADD COLUMN [^,]+$/;

/** Lock names are of the whole server and short, so the database's name goes in as a hash. */
const lockName = (database: string): string =>
  `chappe-migrate-${createHash("sha256").update(database).digest("hex").slice(0, 16)}`;

async function locked<T>(session: MysqlSession, database: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const name = lockName(database);
  const seconds = Math.ceil(waitMs / 1_000);
  const [row] = await session.rows(sql`SELECT GET_LOCK(${name}, ${seconds}) AS got`);
  if (Number(row!.got) !== 1) {
    const text = `another migration of database ${database} has been running for ${seconds} s: wait for it, then run this again`;
    throw new ChappeError("UNAVAILABLE", text);
  }
  try {
    return await work();
  } finally {
    // A connection that is lost has given the lock back.
    await session.rows(sql`SELECT RELEASE_LOCK(${name})`).catch(() => undefined);
  }
}

/** MySQL has no ADD COLUMN IF NOT EXISTS: a column that is there was added by a run that died after it. */
async function runStatement(session: MysqlSession, statement: string): Promise<void> {
  try {
    await session.run(new Sql(statement));
  } catch (error) {
    const isThere = isDuplicateColumn((error as Error).cause ?? error) && addsOneColumn.test(statement);
    if (!isThere) throw error;
  }
}

async function applyMissing(session: MysqlSession, database: string, known: readonly Migration[]): Promise<Migrated> {
  await session.run(registry);
  const applied = await readApplied(session);
  assertKnown(known, applied, database);
  const missing = known.slice(applied.length);
  for (const { version, name, checksum, statements } of missing) {
    for (const statement of statements) await runStatement(session, statement);
    await session.run(sql`INSERT INTO schema_migration VALUES (${version}, ${name}, ${checksum}, ${Date.now()})`);
  }
  return { fromVersion: applied.length, toVersion: known.length, applied: missing.map(({ name }) => name) };
}

/**
 * Brings the schema of a database to this build's version and makes its partitions; one process at a time, others wait
 * for it. UNAVAILABLE when the database has a newer or another schema: nothing is changed then.
 */
export async function migrate(
  options: MysqlOptions,
  { waitMs = limits.mysqlMigrateWaitMs, migrations = readMigrations() }: MigrateSettings = {},
): Promise<Migrated> {
  // GET_LOCK waits inside one statement.
  const statementTimeoutMs = Math.max(waitMs, options.statementTimeoutMs ?? 0) + limits.mysqlStatementTimeoutMs;
  const mysql = openMysql({ ...options, maxConnections: 2, statementTimeoutMs });
  try {
    const migrated = await mysql.session((session) =>
      locked(session, options.database, waitMs, () => applyMissing(session, options.database, migrations)),
    );
    await makeDaysAhead(mysql);
    return migrated;
  } finally {
    await mysql.close();
  }
}
