import { limits } from "../../limits.ts";
import type { Mysql, MysqlSession } from "./open-mysql.ts";
import { Sql, sql } from "./sql.ts";

/** Milliseconds of a day. */
const dayMs = 86_400_000;

/** Tables that have a partition a day. */
const dailyTables = ["message_run", "send"] as const;

/** One of them. */
export type DailyTable = (typeof dailyTables)[number];

/** A partition of days from the end of the one before up to `endDay`, which is not in it. */
export interface DayPartition {
  readonly name: string;
  readonly endDay: number;
}

/** The UTC day of a time, counted from 1970. */
export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / dayMs);
}

/** First millisecond of a day. */
export function dayStartMs(day: number): number {
  return day * dayMs;
}

/** Name of the partition whose last day is `day`. */
export const partitionName = (day: number): string => `d${day}`;

/** The partitions of a table, oldest first, without the last one, which takes whatever is later. */
export async function dayPartitions(
  session: Pick<MysqlSession, "rows">,
  table: DailyTable,
): Promise<readonly DayPartition[]> {
  const rows = await session.rows(sql`SELECT partition_name AS name, partition_description AS end_day
    FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name = ${table}
    AND partition_description <> 'MAXVALUE' ORDER BY partition_ordinal_position`);
  return rows.map(({ name, end_day }) => ({ name: String(name), endDay: Number(end_day) }));
}

/** Ends of the days that are missing up to `lastDay`; a gap longer than the window becomes one partition. */
function missingEnds(ends: readonly number[], today: number, lastDay: number): number[] {
  const first = Math.max((ends.at(-1) ?? 0) + 1, today - limits.mysqlDaysAhead);
  return Array.from({ length: Math.max(0, lastDay + 2 - first) }, (_, index) => first + index);
}

async function addDays(session: MysqlSession, table: DailyTable, today: number): Promise<number> {
  const partitions = await dayPartitions(session, table);
  const ends = missingEnds(
    partitions.map(({ endDay }) => endDay),
    today,
    today + limits.mysqlDaysAhead,
  );
  if (ends.length === 0) return 0;
  const parts = ends.map((end) => `PARTITION ${partitionName(end - 1)} VALUES LESS THAN (${end})`).join(", ");
  const later = "PARTITION later VALUES LESS THAN MAXVALUE";
  await session.run(new Sql(`ALTER TABLE ${table} REORGANIZE PARTITION later INTO (${parts}, ${later})`));
  return ends.length;
}

/**
 * Makes the partitions up to a few days from `nowMs`; answers how many. Rows of a day without one are in the last
 * partition and move when theirs is made, so that no commit waits for this. One process at a time; another does nothing.
 */
export async function makeDaysAhead(mysql: Mysql, nowMs: number = Date.now()): Promise<number> {
  const name = `chappe-days-${mysql.options.database}`.slice(0, 64);
  return mysql.session(async (session) => {
    const [row] = await session.rows(sql`SELECT GET_LOCK(${name}, 0) AS got`);
    if (Number(row!.got) !== 1) return 0;
    try {
      let made = 0;
      for (const table of dailyTables) made += await addDays(session, table, dayOf(nowMs));
      return made;
    } finally {
      await session.rows(sql`SELECT RELEASE_LOCK(${name})`).catch(() => undefined);
    }
  });
}

/** Drops the partitions whose days are all before `day`, with their rows; answers how many rows. */
export async function dropDaysBefore(mysql: Mysql, table: DailyTable, day: number): Promise<number> {
  const old = (await dayPartitions(mysql, table)).filter(({ endDay }) => endDay <= day);
  let rows = 0;
  for (const { name } of old) {
    const [counted] = await mysql.rows(new Sql(`SELECT COUNT(*) AS n FROM ${table} PARTITION (${name})`));
    rows += Number(counted!.n);
    await mysql.session((session) => session.run(new Sql(`ALTER TABLE ${table} DROP PARTITION ${name}`)));
  }
  return rows;
}
