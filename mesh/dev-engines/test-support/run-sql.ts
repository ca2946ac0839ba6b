import { createConnection } from "mysql2/promise";
import type { MariadbLogin } from "../start-mariadb.ts";

/** Runs statements on a connection of their own; answers the rows of the last one. */
export async function runSql(login: MariadbLogin, ...statements: readonly string[]): Promise<unknown> {
  const connection = await createConnection({ ...login });
  try {
    let rows: unknown;
    for (const statement of statements) [rows] = await connection.query(statement);
    return rows;
  } finally {
    await connection.end();
  }
}
