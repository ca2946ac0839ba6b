import { ChappeError } from "../../errors/chappe-error.ts";
import { type AppliedMigration, assertKnown, type Migration, readMigrations } from "./migrations.ts";
import { isNoSuchTable } from "./mysql-error.ts";
import type { Mysql, MysqlSession } from "./open-mysql.ts";
import { sql } from "./sql.ts";

/** The migrations that the database has, oldest first; none when it was never migrated. */
export async function readApplied(session: Pick<MysqlSession, "rows">): Promise<readonly AppliedMigration[]> {
  try {
    const rows = await session.rows(sql`SELECT version, name, checksum FROM schema_migration ORDER BY version`);
    return rows.map(({ version, name, checksum }) => ({
      version: Number(version),
      name: String(name),
      checksum: String(checksum),
    }));
  } catch (error) {
    if (isNoSuchTable((error as Error).cause ?? error)) return [];
    throw error;
  }
}

/** Rejects with UNAVAILABLE, and what to do, when the schema is not the one of this build. */
export async function assertSchema(mysql: Mysql, known: readonly Migration[] = readMigrations()): Promise<void> {
  const { database } = mysql.options;
  const applied = await readApplied(mysql);
  assertKnown(known, applied, database);
  if (applied.length === known.length) return;
  const text = `the schema of database ${database} has version ${applied.length}, this build needs ${known.length}`;
  throw new ChappeError("UNAVAILABLE", `${text}: run "chappe migrate"`);
}
