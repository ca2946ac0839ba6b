import { setTimeout as sleep } from "node:timers/promises";
import { createPool, type Pool, type PoolConnection, type ResultSetHeader } from "mysql2/promise";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import { connectError, isConnectionLost, isDeadlock, mysqlError } from "./mysql-error.ts";
import type { MysqlOptions } from "./mysql-options.ts";
import { type Sql, sql } from "./sql.ts";

/** A row by column name: BIGINT columns are strings of digits, binary ones Buffers, other numbers numbers. */
export type Row = Readonly<Record<string, string | number | Buffer | null>>;

/** One connection for a while. */
export interface MysqlSession {
  rows(statement: Sql): Promise<readonly Row[]>;
  /** Runs a packet of statements; answers for each how many rows it inserted, changed or deleted. */
  run(packet: Sql): Promise<readonly number[]>;
}

/** Connections to one database. Everything rejects with the errors of mysqlError and, without a server, connectError. */
export interface Mysql {
  readonly options: MysqlOptions;
  /** A statement that only reads; once more on another connection when the first is lost. */
  rows(statement: Sql): Promise<readonly Row[]>;
  /** One statement that changes rows, as a transaction of its own; answers how many it inserted, changed or deleted. */
  write(statement: Sql): Promise<number>;
  /**
   * All of `work` or nothing; tried again, within a bound, when it lost a deadlock. `beforeCommit` is called when COMMIT
   * is about to be sent: a rejection before that means that nothing took effect, one after it that nobody knows.
   */
  transaction<T>(work: (session: MysqlSession) => Promise<T>, beforeCommit?: () => void): Promise<T>;
  /** One connection without a transaction. */
  session<T>(work: (session: MysqlSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const seconds = (ms: number): number => Math.max(1, Math.round(ms / 1_000));

/**
 * Of every session, whatever the server's defaults are: nothing is cut or converted in silence; a read sees what is
 * committed and locks no gaps; and a transaction whose client is gone without a word ends.
 */
const sessionSettings = (idleMs: number): readonly Sql[] => [
  sql`SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', autocommit = 1,
    innodb_lock_wait_timeout = ${seconds(limits.mysqlLockWaitMs)}, lock_wait_timeout = ${seconds(limits.mysqlLockWaitMs)},
    wait_timeout = ${seconds(idleMs)}`,
  sql`SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED`,
];

class MysqlPool implements Mysql {
  readonly options: MysqlOptions;
  readonly #pool: Pool;
  readonly #timeoutMs: number;
  readonly #idleMs: number;
  readonly #settled = new WeakSet<object>();
  #closing: Promise<void> | undefined;

  constructor(options: MysqlOptions) {
    const { host, port, user, password, database, maxConnections = limits.maxMysqlConnections } = options;
    this.options = options;
    this.#timeoutMs = options.statementTimeoutMs ?? limits.mysqlStatementTimeoutMs;
    this.#idleMs = options.sessionIdleMs ?? limits.mysqlSessionIdleMs;
    this.#pool = createPool({
      ...{ host, port, user, password, database },
      charset: "utf8mb4",
      connectTimeout: limits.mysqlConnectTimeoutMs,
      connectionLimit: maxConnections,
      maxIdle: maxConnections,
      // Before the server does: a session that it ends is one that fails when it is next wanted.
      idleTimeout: this.#idleMs / 2,
      queueLimit: limits.maxMysqlWaiting,
      supportBigNumbers: true,
      bigNumberStrings: true,
      // A commit is three round trips with them; all text is made by sql.ts, where no value can end a statement.
      multipleStatements: true,
      // Without FOUND_ROWS an UPDATE counts changed rows.
      flags: ["-FOUND_ROWS"],
    });
  }

  async rows(statement: Sql): Promise<readonly Row[]> {
    const read = () => this.session((session) => session.rows(statement));
    try {
      return await read();
    } catch (error) {
      if (this.#closing !== undefined || !isConnectionLost((error as ChappeError).cause ?? error)) throw error;
      return read();
    }
  }

  async write(statement: Sql): Promise<number> {
    const [changed] = await this.#retrying(() => this.#use((session) => session.run(statement)));
    return changed!;
  }

  transaction<T>(work: (session: MysqlSession) => Promise<T>, beforeCommit?: () => void): Promise<T> {
    return this.#retrying(() =>
      this.#use(async (session) => {
        await session.run(sql`START TRANSACTION`);
        const result = await work(session);
        beforeCommit?.();
        await session.run(sql`COMMIT`);
        return result;
      }),
    );
  }

  async session<T>(work: (session: MysqlSession) => Promise<T>): Promise<T> {
    try {
      return await this.#use(work);
    } catch (error) {
      throw mysqlError(error);
    }
  }

  close(): Promise<void> {
    const timeout = new AbortController();
    this.#closing ??= Promise.race([
      this.#pool.end().catch(() => undefined),
      sleep(limits.mysqlCloseTimeoutMs, undefined, { signal: timeout.signal }).catch(() => undefined),
    ]).finally(() => timeout.abort());
    return this.#closing;
  }

  async #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isDeadlock(error) || retries >= limits.maxMysqlDeadlockRetries) throw mysqlError(error);
        await sleep(limits.mysqlRetryMs * (retries + Math.random()));
      }
    }
  }

  /** Errors are the driver's, for `#retrying`. */
  async #use<T>(work: (session: MysqlSession) => Promise<T>): Promise<T> {
    const connection = await this.#acquire();
    const session = this.#sessionOf(connection);
    try {
      const result = await work(session);
      connection.release();
      return result;
    } catch (error) {
      await this.#discard(connection, error);
      throw error;
    }
  }

  async #acquire(): Promise<PoolConnection> {
    if (this.#closing !== undefined) throw new ChappeError("UNAVAILABLE", "the database is closed");
    let connection: PoolConnection;
    try {
      connection = await this.#pool.getConnection();
    } catch (cause) {
      throw connectError(cause, this.options);
    }
    const inner = connection.connection;
    if (this.#settled.has(inner)) return connection;
    try {
      for (const { text } of sessionSettings(this.#idleMs))
        await connection.query({ sql: text, timeout: this.#timeoutMs });
    } catch (error) {
      connection.destroy();
      throw error;
    }
    this.#settled.add(inner);
    return connection;
  }

  /** Ends the transaction of a connection whose work failed; what cannot be ended is cut, and ends with the connection. */
  async #discard(connection: PoolConnection, error: unknown): Promise<void> {
    if (isConnectionLost(error)) return connection.destroy();
    try {
      await connection.query({ sql: "ROLLBACK", timeout: this.#timeoutMs });
      connection.release();
    } catch {
      connection.destroy();
    }
  }

  #sessionOf(connection: PoolConnection): MysqlSession {
    const query = async (statement: Sql): Promise<unknown> => {
      const [result] = await connection.query({ sql: statement.text, timeout: this.#timeoutMs });
      return result;
    };
    return {
      rows: async (statement) => (await query(statement)) as Row[],
      async run(packet) {
        const result = (await query(packet)) as ResultSetHeader | ResultSetHeader[];
        return (Array.isArray(result) ? result : [result]).map(({ affectedRows }) => affectedRows);
      },
    };
  }
}

/** Connections to a database, made when they are needed. */
export function openMysql(options: MysqlOptions): Mysql {
  return new MysqlPool(options);
}
