import type { ChappeError } from "../../errors/chappe-error.ts";
import { conversationKey } from "../../ids/conversation-id.ts";
import { limits } from "../../limits.ts";
import type {
  Claim,
  ConversationRow,
  MemberRow,
  MessageRun,
  MessageStore,
  SendKey,
  SendRow,
  StoreCommit,
} from "../../ports/message-store.ts";
import type { MysqlOptions } from "../mysql/mysql-options.ts";
import { type Mysql, type MysqlSession, openMysql, type Row } from "../mysql/open-mysql.ts";
import { assertSchema } from "../mysql/schema-version.ts";
import { type Sql, sql } from "../mysql/sql.ts";
import { startDayKeeper } from "../mysql/start-day-keeper.ts";
import { createCommitting } from "./committing.ts";
import { readRuns } from "./read-runs.ts";
import { expireSends, findSends, sendIdsSince } from "./sends.ts";

/** Options of createMysqlMessageStore. */
export interface MysqlMessageStoreOptions extends MysqlOptions {
  /** Partitions ahead could not be made; rows go to the last one meanwhile. */
  readonly onWarning?: (error: ChappeError) => void;
  /** How long a commit of unknown outcome is settled before it is DEADLINE_EXCEEDED. @default limits.mysqlSettleMs */
  readonly settleMs?: number;
}

const toMember = (row: Row): MemberRow => ({
  conversationId: Uint8Array.from(row.conversation as Buffer),
  userId: BigInt(row.user as string),
  role: Number(row.role),
  joinSeq: Number(row.join_seq),
  leaveSeq: Number(row.leave_seq),
});

const readProgress = (partitions: readonly number[]): Sql =>
  sql`SELECT partition_id, next_offset, epoch FROM partition_progress WHERE partition_id IN ${partitions}`;

const toClaims = (rows: readonly Row[]): ReadonlyMap<number, Claim> =>
  new Map(
    rows.map(({ partition_id: partition, next_offset: nextOffset, epoch }) => [
      Number(partition),
      { nextOffset: Number(nextOffset), epoch: Number(epoch) },
    ]),
  );

async function raiseEpochs(session: MysqlSession, partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>> {
  for (const partition of [...partitions].sort((a, b) => a - b)) {
    await session.run(sql`INSERT INTO partition_progress VALUES (${partition}, 0, 1, 0)
      ON DUPLICATE KEY UPDATE epoch = epoch + 1`);
  }
  return toClaims(await session.rows(readProgress(partitions)));
}

async function readHeads(mysql: Mysql, ids: readonly Uint8Array[]): Promise<readonly number[]> {
  const heads = new Map<string, number>();
  for (let at = 0; at < ids.length; at += limits.maxMysqlRowsPerStatement) {
    const some = ids.slice(at, at + limits.maxMysqlRowsPerStatement);
    const rows = await mysql.rows(
      sql`SELECT conversation, head_seq FROM conversation_head WHERE conversation IN ${some}`,
    );
    for (const row of rows) heads.set(conversationKey(row.conversation as Buffer), Number(row.head_seq));
  }
  return ids.map((id) => heads.get(conversationKey(id)) ?? 0);
}

class MysqlMessageStore implements MessageStore {
  readonly #mysql: Mysql;
  readonly #committing: ReturnType<typeof createCommitting>;
  readonly #days: { close(): Promise<void> };

  constructor(mysql: Mysql, { settleMs = limits.mysqlSettleMs, onWarning = () => {} }: MysqlMessageStoreOptions) {
    this.#mysql = mysql;
    this.#committing = createCommitting({ mysql, settleMs, progress: (partitions) => this.progress(partitions) });
    this.#days = startDayKeeper({ mysql, onFailed: onWarning });
  }

  /** A claim whose outcome is unknown rejects; claiming again raises the epoch once more, which is as good. */
  claim(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>> {
    this.#committing.forget(partitions);
    return this.#mysql.transaction((session) => raiseEpochs(session, partitions));
  }

  commit(batch: StoreCommit): Promise<void> {
    return this.#committing.commit(batch);
  }

  async progress(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>> {
    return toClaims(await this.#mysql.rows(readProgress(partitions)));
  }

  heads(conversationIds: readonly Uint8Array[]): Promise<readonly number[]> {
    return readHeads(this.#mysql, conversationIds);
  }

  async conversationsFrom(conversationId: Uint8Array, limit: number): Promise<readonly Uint8Array[]> {
    const rows = await this.#mysql.rows(
      sql`SELECT conversation FROM conversation_head WHERE conversation >= ${conversationId}
        ORDER BY conversation LIMIT ${limit}`,
    );
    return rows.map((row) => Uint8Array.from(row.conversation as Buffer));
  }

  findSends(keys: readonly SendKey[]): Promise<readonly (SendRow | undefined)[]> {
    return findSends(this.#mysql, keys);
  }

  sendIdsSince(idTimeMs: number): AsyncIterable<Uint8Array> {
    return sendIdsSince(this.#mysql, idTimeMs);
  }

  readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    options: { maxMessages: number; maxBytes: number; fromEnd?: boolean },
  ): Promise<readonly MessageRun[]> {
    return readRuns(this.#mysql, conversationId, { ...options, fromSeq, toSeq });
  }

  async members(conversationId: Uint8Array): Promise<readonly MemberRow[]> {
    const rows = await this.#mysql.rows(sql`SELECT * FROM member WHERE conversation = ${conversationId} ORDER BY user`);
    return rows.map(toMember);
  }

  async conversationsOf(
    userId: bigint,
    { limit, afterConversationId }: { limit: number; afterConversationId?: Uint8Array },
  ): Promise<readonly ConversationRow[]> {
    const after = afterConversationId === undefined ? sql`` : sql`AND m.conversation > ${afterConversationId}`;
    const rows = await this.#mysql.rows(sql`SELECT m.*, h.head_seq FROM member m
      LEFT JOIN conversation_head h ON h.conversation = m.conversation
      WHERE m.user = ${userId} ${after} ORDER BY m.conversation LIMIT ${limit}`);
    return rows.map((row) => ({ ...toMember(row), headSeq: Number(row.head_seq ?? 0) }));
  }

  expireSends(idTimeMs: number): Promise<number> {
    return expireSends(this.#mysql, idTimeMs);
  }

  async close(): Promise<void> {
    await this.#days.close();
    await this.#mysql.close();
  }
}

/**
 * Opens the message store of a migrated database. INVALID_ARGUMENT for wrong credentials or a database that is not
 * there, UNAVAILABLE for a server that does not answer or another schema version; the message says what to do.
 */
export async function createMysqlMessageStore(options: MysqlMessageStoreOptions): Promise<MessageStore> {
  const mysql = openMysql({ sessionIdleMs: limits.mysqlOwnerIdleMs, ...options });
  try {
    await assertSchema(mysql);
  } catch (error) {
    await mysql.close();
    throw error;
  }
  return new MysqlMessageStore(mysql, options);
}
