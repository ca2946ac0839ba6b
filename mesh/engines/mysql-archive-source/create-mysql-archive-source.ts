import { createHash } from "node:crypto";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { ArchiveDay, ArchiveLead, ArchiveSource, RunPosition } from "../../ports/archive-source.ts";
import type { MessageRun } from "../../ports/message-store.ts";
import { freshDay } from "../fresh-day.ts";
import { dayPartitions, partitionName } from "../mysql/day-partitions.ts";
import { isConnectionLost, mysqlError } from "../mysql/mysql-error.ts";
import type { MysqlOptions } from "../mysql/mysql-options.ts";
import { type Mysql, type MysqlSession, openMysql } from "../mysql/open-mysql.ts";
import { assertSchema } from "../mysql/schema-version.ts";
import { Sql, sql } from "../mysql/sql.ts";
import { toRun } from "../mysql-message-store/read-runs.ts";
import { replaceDay, selectDays, toArchiveDay } from "./archive-days.ts";

/** Lock names are of the whole server and short, so the database's name goes in as a hash. */
const lockName = (database: string): string =>
  `chappe-archive-${createHash("sha256").update(database).digest("hex").slice(0, 16)}`;

/** A lead is a lock of one session: what changes anything is done in that session, so it ends with the lock. */
class MysqlArchiveLead implements ArchiveLead {
  readonly #mysql: Mysql;
  readonly #session: MysqlSession;
  readonly #hold: NodeJS.Timeout;
  #lost: ChappeError | undefined;

  constructor(mysql: Mysql, session: MysqlSession) {
    this.#mysql = mysql;
    this.#session = session;
    this.#hold = setInterval(
      () => void this.#inSession((one) => one.rows(sql`SELECT 1`)).catch(() => undefined),
      limits.archiveHoldMs,
    );
  }

  end(): void {
    clearInterval(this.#hold);
    this.#lost ??= new ChappeError("UNAVAILABLE", "this archiver does not lead any more");
  }

  async closedDays(beforeDay: number): Promise<readonly ArchiveDay[]> {
    const partitions = await this.#rowsOf((session) => dayPartitions(session, "message_run"));
    const known = new Map((await this.#mysql.rows(selectDays)).map((row) => [Number(row.day), toArchiveDay(row)]));
    const present = partitions.map(({ endDay }) => endDay - 1);
    for (const day of known.values()) {
      if (day.step !== "dropping" || present.includes(day.day)) continue;
      await this.save({ ...day, step: "archived", archivedTimeMs: Date.now() });
    }
    return present
      .filter((day) => day < beforeDay)
      .map((day) => {
        const before = known.get(day);
        // Its partition is there: whoever wrote "archived" saw another one.
        return before === undefined || before.step === "archived" ? freshDay(day, before?.recopies) : before;
      });
  }

  async readPage(day: number, after: RunPosition | undefined, limit: number): Promise<readonly MessageRun[]> {
    const from =
      after === undefined
        ? sql``
        : sql`WHERE (conversation = ${after.conversationId} AND first_seq > ${after.firstSeq}) OR conversation > ${after.conversationId}`;
    const rows = await this.#rowsOf((session) =>
      session.rows(sql`SELECT conversation, first_seq, message_count, crc, body
        FROM message_run PARTITION (${new Sql(partitionName(day))}) ${from}
        ORDER BY conversation, first_seq LIMIT ${limit}`),
    );
    return rows.map((row) => toRun(Uint8Array.from(row.conversation as Buffer), row));
  }

  async save(day: ArchiveDay): Promise<void> {
    await this.#inSession((session) => session.run(replaceDay(day)));
  }

  async lateMark(): Promise<number> {
    const [row] = await this.#rowsOf((session) => session.rows(sql`SELECT commits FROM archive_late WHERE id = 1`));
    return Number(row!.commits);
  }

  async drop(day: number, lateMark: number): Promise<boolean> {
    if (this.#lost !== undefined) throw this.#lost;
    return this.#mysql.transaction(async (fence) => {
      const [row] = await fence.rows(sql`SELECT commits FROM archive_late WHERE id = 1 FOR UPDATE`);
      if (Number(row!.commits) !== lateMark) return false;
      const partitions = await dayPartitions(fence, "message_run");
      if (partitions.every(({ endDay }) => endDay - 1 !== day)) return true;
      await this.#inSession((session) =>
        session.run(new Sql(`ALTER TABLE message_run DROP PARTITION ${partitionName(day)}`)),
      );
      return true;
    });
  }

  #rowsOf<T>(read: (session: Pick<MysqlSession, "rows">) => Promise<T>): Promise<T> {
    return this.#lost === undefined ? read(this.#mysql) : Promise.reject(this.#lost);
  }

  async #inSession<T>(work: (session: MysqlSession) => Promise<T>): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost;
    try {
      return await work(this.#session);
    } catch (cause) {
      if (!isConnectionLost(cause)) throw mysqlError(cause);
      this.#lost = new ChappeError("UNAVAILABLE", "the session that leads the archive is lost", { cause });
      throw this.#lost;
    }
  }
}

class MysqlArchiveSource implements ArchiveSource {
  readonly #mysql: Mysql;

  constructor(mysql: Mysql) {
    this.#mysql = mysql;
  }

  lead<T>(work: (lead: ArchiveLead) => Promise<T>): Promise<T | undefined> {
    const name = lockName(this.#mysql.options.database);
    return this.#mysql.session(async (session) => {
      const [row] = await session.rows(sql`SELECT GET_LOCK(${name}, 0) AS got`);
      if (Number(row!.got) !== 1) return undefined;
      const lead = new MysqlArchiveLead(this.#mysql, session);
      try {
        return await work(lead);
      } finally {
        lead.end();
        // A connection that is lost has given the lock back.
        await session.rows(sql`SELECT RELEASE_LOCK(${name})`).catch(() => undefined);
      }
    });
  }

  async days(): Promise<readonly ArchiveDay[]> {
    return (await this.#mysql.rows(selectDays)).map(toArchiveDay);
  }

  close(): Promise<void> {
    return this.#mysql.close();
  }
}

/** The partitions of message_run as days of an archive. Rejects like createMysqlMessageStore. */
export async function createMysqlArchiveSource(options: MysqlOptions): Promise<ArchiveSource> {
  const mysql = openMysql({ statementTimeoutMs: limits.archiveStatementTimeoutMs, ...options });
  try {
    await assertSchema(mysql);
  } catch (error) {
    await mysql.close();
    throw error;
  }
  return new MysqlArchiveSource(mysql);
}
