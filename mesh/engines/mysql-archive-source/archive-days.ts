import type { ArchiveDay, ArchiveStep } from "../../ports/archive-source.ts";
import type { Row } from "../mysql/open-mysql.ts";
import { type Sql, sql } from "../mysql/sql.ts";

/** A row of archive_day. */
export function toArchiveDay(row: Row): ArchiveDay {
  const conversation = row.after_conversation as Buffer | null;
  const firstSeq = Number(row.after_seq);
  return {
    day: Number(row.day),
    step: String(row.step) as ArchiveStep,
    ...(conversation && { after: { conversationId: Uint8Array.from(conversation), firstSeq } }),
    copiedTimeMs: Number(row.copied_time_ms),
    recopies: Number(row.recopies),
    messages: Number(row.messages),
    bytes: Number(row.bytes),
    digest: String(row.digest),
    archivedTimeMs: Number(row.archived_time_ms),
  };
}

/** The whole catalogue. */
export const selectDays = sql`SELECT * FROM archive_day ORDER BY day`;

/** Writes a row, whole. */
export function replaceDay({ day, step, after, ...more }: ArchiveDay): Sql {
  const { copiedTimeMs, recopies, messages, bytes, digest, archivedTimeMs } = more;
  const position = after === undefined ? sql`NULL, 0` : sql`${after.conversationId}, ${after.firstSeq}`;
  const figures = sql`${messages}, ${bytes}, ${digest}, ${archivedTimeMs}`;
  return sql`REPLACE INTO archive_day VALUES (${day}, ${step}, ${position}, ${copiedTimeMs}, ${recopies}, ${figures})`;
}
