import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { ChappeError } from "../../errors/chappe-error.ts";
import { conversationIdBytes } from "../../ids/conversation-id.ts";
import { uuidV7TimeMs } from "../../ids/uuid-v7.ts";
import type { Claim, ConversationRow, MemberRow, MessageRun, SendKey, SendRow } from "../../ports/message-store.ts";
import { inTransaction, openDatabase } from "../sqlite/open-database.ts";
import type { WorkerMethods } from "../sqlite/serve-worker.ts";
import { findSendInBlock } from "./find-send-in-block.ts";
import { type Flush, numbersPerRun, packedSendBytes, sendsPerBlock } from "./flush-format.ts";
import { maxRunMessages } from "./pack-flush.ts";

const schemaVersion = 1;

const schema = `
  CREATE TABLE segment(id INTEGER PRIMARY KEY, body BLOB NOT NULL);
  CREATE TABLE run(
    conversation BLOB NOT NULL, first_seq INTEGER NOT NULL, count INTEGER NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY(conversation, first_seq)) WITHOUT ROWID;
  CREATE TABLE send_block(id INTEGER PRIMARY KEY, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, body BLOB NOT NULL);
  CREATE INDEX send_block_time ON send_block(max_time, min_time);
  CREATE TABLE member(
    conversation BLOB NOT NULL, user INTEGER NOT NULL, role INTEGER NOT NULL,
    join_seq INTEGER NOT NULL, leave_seq INTEGER NOT NULL,
    PRIMARY KEY(conversation, user)) WITHOUT ROWID;
  CREATE INDEX member_user ON member(user, conversation);
  CREATE TABLE partition_progress(partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL, epoch INTEGER NOT NULL)`;

/** A range read, as the worker serves it. */
export interface RangeRequest {
  readonly conversationId: Uint8Array;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly fromEnd: boolean;
}

interface RunRow {
  readonly first_seq: number;
  readonly count: number;
  readonly crc: number;
  readonly bytes: Uint8Array;
}

interface MemberColumns {
  readonly conversation: Uint8Array;
  readonly user: bigint;
  readonly role: bigint;
  readonly join_seq: bigint;
  readonly leave_seq: bigint;
  readonly head?: bigint | null;
}

const toMember = (row: MemberColumns): MemberRow => ({
  conversationId: row.conversation,
  userId: row.user,
  role: Number(row.role),
  joinSeq: Number(row.join_seq),
  leaveSeq: Number(row.leave_seq),
});

const headOf = "(SELECT first_seq + count - 1 FROM run WHERE conversation = ? ORDER BY first_seq DESC LIMIT 1)";

class MessageDatabase {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    const options = {
      file,
      pageBytes: 16_384,
      synchronous: "normal",
      cacheKib: 65_536,
      autoCheckpointPages: 1_000,
    } as const;
    this.#db = openDatabase({ ...options, schemaVersion, schema });
  }

  flush(flush: Flush): void {
    inTransaction(this.#db, () => {
      this.#insertRuns(flush);
      this.#insertSends(flush.sends);
      const member = this.#sql(`INSERT INTO member VALUES(?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET role = excluded.role,
        join_seq = iif(excluded.join_seq = 0 OR (leave_seq = 0 AND excluded.leave_seq = 0), join_seq, excluded.join_seq),
        leave_seq = excluded.leave_seq WHERE NOT (leave_seq > 0 AND excluded.leave_seq > 0)`);
      for (const row of flush.members) member.run(row.conversationId, row.userId, row.role, row.joinSeq, row.leaveSeq);
      const progress = this.#sql("UPDATE partition_progress SET next_offset = ? WHERE partition = ? AND epoch = ?");
      for (const [partition, nextOffset, epoch] of flush.progress) {
        if (progress.run(nextOffset, partition, epoch).changes !== 1) throw new ChappeError("STALE_OWNER");
      }
    });
  }

  claim(partitions: readonly number[]): [number, Claim][] {
    inTransaction(this.#db, () => {
      const raise = this.#sql(
        "INSERT INTO partition_progress VALUES(?, 0, 1) ON CONFLICT DO UPDATE SET epoch = partition_progress.epoch + 1",
      );
      for (const partition of partitions) raise.run(partition);
    });
    return this.progress(partitions);
  }

  progress(partitions: readonly number[]): [number, Claim][] {
    const read = this.#sql("SELECT next_offset, epoch FROM partition_progress WHERE partition = ?");
    return partitions.flatMap((partition) => {
      const row = read.get(partition) as { next_offset: number; epoch: number } | undefined;
      return row === undefined
        ? []
        : [[partition, { nextOffset: row.next_offset, epoch: row.epoch }] as [number, Claim]];
    });
  }

  conversationsFrom(id: Uint8Array, limit: number): Uint8Array[] {
    const read = this.#sql(
      "SELECT DISTINCT conversation FROM run WHERE conversation >= ? ORDER BY conversation LIMIT ?",
    );
    return (read.all(id, limit) as { conversation: Uint8Array }[]).map(({ conversation }) => conversation);
  }

  heads(conversations: readonly Uint8Array[]): number[] {
    const read = this.#sql(`SELECT ${headOf} AS head`);
    return conversations.map((id) => (read.get(id) as { head: number | null }).head ?? 0);
  }

  findSends(keys: readonly SendKey[]): (SendRow | undefined)[] {
    const read = this.#sql("SELECT body FROM send_block WHERE max_time >= ? AND min_time <= ?");
    return keys.map((key) => {
      const timeMs = uuidV7TimeMs(key.clientMessageId);
      for (const { body } of read.iterate(timeMs, timeMs) as Iterable<{ body: Uint8Array }>) {
        const row = findSendInBlock(body, key);
        if (row !== undefined) return row;
      }
      return undefined;
    });
  }

  /** Packed sends of one block after `afterId` that may hold ids at or after `timeMs`; undefined = no more. */
  sendBlockSince(timeMs: number, afterId: number): { id: number; body: Uint8Array } | undefined {
    const read = this.#sql("SELECT id, body FROM send_block WHERE id > ? AND max_time >= ? ORDER BY id LIMIT 1");
    return read.get(afterId, timeMs) as { id: number; body: Uint8Array } | undefined;
  }

  expireSends(timeMs: number): number {
    const { count } = this.#sql(
      "SELECT coalesce(sum(length(body)), 0) AS count FROM send_block WHERE max_time < ?",
    ).get(timeMs) as {
      count: number;
    };
    this.#sql("DELETE FROM send_block WHERE max_time < ?").run(timeMs);
    return count / packedSendBytes;
  }

  /** Whole runs that touch the range, in order of seq; more than asked for at both ends. */
  readRange(request: RangeRequest): MessageRun[] {
    const { conversationId, fromSeq, toSeq, fromEnd } = request;
    const read = this.#sql(`SELECT first_seq, count, crc, substr(segment.body, offset + 1, length) AS bytes
      FROM run JOIN segment ON segment.id = run.segment
      WHERE conversation = ? AND first_seq <= ? AND first_seq > ? ORDER BY first_seq ${fromEnd ? "DESC" : "ASC"}`);
    const runs: MessageRun[] = [];
    let messages = 0;
    let bytes = 0;
    const rows = read.iterate(conversationId, toSeq, fromSeq - maxRunMessages) as Iterable<unknown> as Iterable<RunRow>;
    for (const row of rows) {
      const lastSeq = row.first_seq + row.count - 1;
      if (lastSeq < fromSeq) continue;
      if (crc32(row.bytes) !== row.crc) throw new ChappeError("CORRUPT", `the run at seq ${row.first_seq} is damaged`);
      runs.push({ conversationId, firstSeq: row.first_seq, count: row.count, bytes: row.bytes });
      messages += Math.min(lastSeq, toSeq) - Math.max(row.first_seq, fromSeq) + 1;
      bytes += row.bytes.length;
      if (messages >= request.maxMessages || bytes >= request.maxBytes) break;
    }
    return fromEnd ? runs.reverse() : runs;
  }

  members(conversationId: Uint8Array): MemberRow[] {
    const read = this.#bigSql("SELECT * FROM member WHERE conversation = ? ORDER BY user");
    return (read.all(conversationId) as unknown as MemberColumns[]).map(toMember);
  }

  conversationsOf(userId: bigint, limit: number, after: Uint8Array): ConversationRow[] {
    const read = this.#bigSql(`SELECT m.*, (SELECT first_seq + count - 1 FROM run WHERE conversation = m.conversation
      ORDER BY first_seq DESC LIMIT 1) AS head FROM member m WHERE user = ? AND conversation > ? ORDER BY conversation LIMIT ?`);
    const rows = read.all(userId, after, limit) as unknown as MemberColumns[];
    return rows.map((row) => ({ ...toMember(row), headSeq: Number(row.head ?? 0) }));
  }

  close(): void {
    this.#db.close();
  }

  #insertRuns({ segments, runs }: Flush): void {
    const segment = this.#sql("INSERT INTO segment(body) VALUES(?)");
    const ids = segments.map((body) => segment.run(body).lastInsertRowid);
    const run = this.#sql("INSERT INTO run VALUES(?, ?, ?, ?, ?, ?, ?)");
    const { conversations, numbers } = runs;
    for (let index = 0; index * numbersPerRun < numbers.length; index++) {
      const at = index * numbersPerRun;
      const conversation = conversations.subarray(index * conversationIdBytes, (index + 1) * conversationIdBytes);
      const [firstSeq, count, segmentNumber, offset, length, crc] = numbers.subarray(at, at + numbersPerRun);
      run.run(conversation, firstSeq!, count!, ids[segmentNumber!]!, offset!, length!, crc!);
    }
  }

  #insertSends(packed: Uint8Array): void {
    const insert = this.#sql("INSERT INTO send_block(min_time, max_time, body) VALUES(?, ?, ?)");
    const blockBytes = sendsPerBlock * packedSendBytes;
    for (let at = 0; at < packed.length; at += blockBytes) {
      const block = packed.subarray(at, at + blockBytes);
      insert.run(uuidV7TimeMs(block), uuidV7TimeMs(block.subarray(block.length - packedSendBytes)), block);
    }
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #bigSql(text: string): StatementSync {
    const statement = this.#sql(text);
    statement.setReadBigInts(true);
    return statement;
  }
}

/** Opens the message database of one file; its methods run in a worker thread. */
export function openMessageDatabase(file: string): WorkerMethods {
  const database = new MessageDatabase(file);
  return {
    flush: (flush: Flush) => database.flush(flush),
    claim: (partitions: readonly number[]) => database.claim(partitions),
    progress: (partitions: readonly number[]) => database.progress(partitions),
    heads: (ids: readonly Uint8Array[]) => database.heads(ids),
    conversationsFrom: (id: Uint8Array, limit: number) => database.conversationsFrom(id, limit),
    findSends: (keys: readonly SendKey[]) => database.findSends(keys),
    sendBlockSince: (timeMs: number, afterId: number) => database.sendBlockSince(timeMs, afterId),
    expireSends: (timeMs: number) => database.expireSends(timeMs),
    readRange: (request: RangeRequest) => database.readRange(request),
    members: (id: Uint8Array) => database.members(id),
    conversationsOf: (userId: bigint, limit: number, after: Uint8Array) =>
      database.conversationsOf(userId, limit, after),
    close: () => database.close(),
  };
}
