import { crc32 } from "node:zlib";
import { walkTaggedMessages } from "../../codec/message-events.ts";
import { uuidV7TimeMs } from "../../ids/uuid-v7.ts";
import { limits } from "../../limits.ts";
import type { MemberRow, MessageRun, ProgressStep, SendRow, StoreCommit } from "../../ports/message-store.ts";
import { firstLoggedTimeMs } from "../first-logged-time.ts";
import { dayOf } from "../mysql/day-partitions.ts";
import { bytesLiteral, insertStatements, numberLiteral, Sql, toPackets } from "../mysql/sql.ts";

/** A run as pieces within the bounds of a row; a message is never cut. */
function toPieces(run: MessageRun): MessageRun[] {
  const { maxMysqlRunMessages: maxCount, maxMysqlRunBytes: maxBytes } = limits;
  if (run.count <= maxCount && run.bytes.length <= maxBytes) return [run];
  const pieces: { firstSeq: number; count: number; start: number; end: number }[] = [];
  for (const { seq, start, end } of walkTaggedMessages(run.bytes)) {
    const piece = pieces.at(-1);
    if (piece === undefined || piece.count === maxCount || end - piece.start > maxBytes)
      pieces.push({ firstSeq: seq, count: 1, start, end });
    else {
      piece.count++;
      piece.end = end;
    }
  }
  const { conversationId, bytes } = run;
  return pieces.map(({ firstSeq, count, start, end }) => ({
    conversationId,
    firstSeq,
    count,
    bytes: bytes.subarray(start, end),
  }));
}

/** Counted with the messages of days that may be closed; it must stand before any statement about message_run. */
const lateCommit = "UPDATE archive_late SET commits = commits + 1 WHERE id = 1";
/** Archivers leave alone the day of now and so many before it, by clocks that are at most a day from ours. */
const openDays = limits.minArchiveAfterDays - 1;

const dayOfRun = ({ bytes }: MessageRun): number => dayOf(firstLoggedTimeMs(bytes));

function runRow(run: MessageRun): string {
  const { conversationId, firstSeq, count, bytes } = run;
  const numbers = `${numberLiteral(firstSeq)},${dayOfRun(run)},${numberLiteral(count)},${crc32(bytes)}`;
  return `(${bytesLiteral(conversationId)},${numbers},${bytesLiteral(bytes)})`;
}

function sendRow({ clientMessageId, conversationId, senderId, seq, digest, loggedTimeMs: timeMs }: SendRow): string {
  const key = `${bytesLiteral(clientMessageId)},${bytesLiteral(conversationId)},${senderId}`;
  const day = dayOf(uuidV7TimeMs(clientMessageId));
  return `(${key},${day},${numberLiteral(seq)},${digest},${numberLiteral(timeMs)})`;
}

function memberRow({ conversationId, userId, role, joinSeq, leaveSeq }: MemberRow): string {
  const seqs = `${numberLiteral(joinSeq)},${numberLiteral(leaveSeq)}`;
  return `(${bytesLiteral(conversationId)},${userId},${numberLiteral(role)},${seqs})`;
}

const headRow = ({ conversationId, firstSeq, count }: MessageRun): string =>
  `(${bytesLiteral(conversationId)},${numberLiteral(firstSeq + count - 1)})`;

/** In order of conversation, and as they came inside one: all writers lock rows in one order. */
const inOrder = <T extends { readonly conversationId: Uint8Array }>(rows: readonly T[]): T[] =>
  [...rows].sort((a, b) => Buffer.compare(a.conversationId, b.conversationId));

const headTail = "ON DUPLICATE KEY UPDATE head_seq = GREATEST(head_seq, VALUES(head_seq))";

/** The rule of mergeMember; MySQL assigns from left to right, so leave_seq comes last. */
const stays = "leave_seq > 0 AND VALUES(leave_seq) > 0";
const keepsJoin = "VALUES(join_seq) = 0 OR (leave_seq = 0 AND VALUES(leave_seq) = 0)";
const memberTail = `ON DUPLICATE KEY UPDATE role = IF(${stays}, role, VALUES(role)),
  join_seq = IF((${stays}) OR ${keepsJoin}, join_seq, VALUES(join_seq)),
  leave_seq = IF(${stays}, leave_seq, VALUES(leave_seq))`;

/** Packets that insert the rows of a commit. A run or a send that is there already is an error, never a silent second. */
export function rowPackets({ runs, sends, members }: StoreCommit): readonly Sql[] {
  const ordered = inOrder(runs);
  const pieces = ordered.flatMap(toPieces);
  const firstOpenDay = dayOf(Date.now()) - openDays;
  const isLate = pieces.some((piece) => dayOfRun(piece) < firstOpenDay);
  return toPackets([
    ...(isLate ? [lateCommit] : []),
    ...insertStatements("INSERT INTO message_run", pieces.map(runRow)),
    ...insertStatements("INSERT INTO send", sends.map(sendRow).sort()),
    ...insertStatements("INSERT INTO conversation_head", ordered.map(headRow), headTail),
    ...insertStatements("INSERT INTO member", inOrder(members).map(memberRow), memberTail),
  ]);
}

/** The compare-and-set of all steps: it changes as many rows as there are steps, or the commit is refused. */
export function progressUpdate(steps: readonly ProgressStep[]): Sql {
  const sorted = [...steps].sort((a, b) => a.partition - b.partition);
  const cases = sorted.map(
    ({ partition, nextOffset }) => `WHEN ${numberLiteral(partition)} THEN ${numberLiteral(nextOffset)}`,
  );
  const expected = sorted.map(
    ({ partition, fromOffset, epoch }) =>
      `(partition_id = ${partition} AND next_offset = ${numberLiteral(fromOffset)} AND epoch = ${numberLiteral(epoch)})`,
  );
  return new Sql(`UPDATE partition_progress SET commits = commits + 1, next_offset = CASE partition_id ${cases.join(" ")} END
    WHERE partition_id IN (${sorted.map(({ partition }) => partition).join(",")}) AND (${expected.join(" OR ")})`);
}
