import { crc32 } from "node:zlib";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { MessageRun } from "../../ports/message-store.ts";
import { cutRuns, type RunCut } from "../cut-runs.ts";
import type { Mysql, Row } from "../mysql/open-mysql.ts";
import { type Sql, sql } from "../mysql/sql.ts";

/** A row of message_run; CORRUPT when its bytes are not what was written. */
export function toRun(conversationId: Uint8Array, row: Row): MessageRun {
  const firstSeq = Number(row.first_seq);
  const bytes = row.body as Buffer;
  if (crc32(bytes) !== Number(row.crc)) throw new ChappeError("CORRUPT", `the run at seq ${firstSeq} is damaged`);
  return { conversationId, firstSeq, count: Number(row.message_count), bytes };
}

/** The next rows that touch [fromSeq, toSeq], from one end. */
function pageOf(conversationId: Uint8Array, fromSeq: number, toSeq: number, fromEnd: boolean, limit: number): Sql {
  const firstPossible = Math.max(0, fromSeq - limits.maxMysqlRunMessages);
  return sql`SELECT first_seq, message_count, crc, body FROM message_run WHERE conversation = ${conversationId}
    AND first_seq BETWEEN ${firstPossible} AND ${toSeq} AND first_seq + message_count > ${fromSeq}
    ORDER BY first_seq ${fromEnd ? sql`DESC` : sql`ASC`} LIMIT ${limit}`;
}

const last = (run: MessageRun): number => run.firstSeq + run.count - 1;

/** Reads and cuts as MessageStore.readRange says, in pages, so that memory stays bounded whatever is asked for. */
export async function readRuns(mysql: Mysql, conversationId: Uint8Array, cut: RunCut): Promise<readonly MessageRun[]> {
  const { fromEnd = false, maxMessages, maxBytes } = cut;
  let { fromSeq, toSeq } = cut;
  const limit = Math.min(Math.max(1, maxMessages), limits.maxMysqlRunsPerRead);
  const runs: MessageRun[] = [];
  let messages = 0;
  let bytes = 0;
  while (fromSeq <= toSeq && (runs.length === 0 || (messages < maxMessages && bytes < maxBytes))) {
    const rows = await mysql.rows(pageOf(conversationId, fromSeq, toSeq, fromEnd, limit));
    for (const row of rows) {
      const run = toRun(conversationId, row);
      runs.push(run);
      messages += Math.min(last(run), cut.toSeq) - Math.max(run.firstSeq, cut.fromSeq) + 1;
      bytes += run.bytes.length;
    }
    if (rows.length < limit) break;
    if (fromEnd) toSeq = runs.at(-1)!.firstSeq - 1;
    else fromSeq = last(runs.at(-1)!) + 1;
  }
  return cutRuns(fromEnd ? runs.reverse() : runs, cut);
}
