import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ChappeError } from "../../errors/chappe-error.ts";
import { conversationIdOfKey, conversationKey } from "../../ids/conversation-id.ts";
import { uuidV7TimeMs } from "../../ids/uuid-v7.ts";
import type {
  Claim,
  ConversationRow,
  MemberRow,
  MessageRun,
  MessageStore,
  SendKey,
  SendRow,
} from "../../ports/message-store.ts";
import { cutRuns } from "../cut-runs.ts";
import { mergeMember } from "../merge-member.ts";
import { createWorkerHost, type WorkerHost } from "../sqlite/worker-host.ts";
import { packedSendBytes } from "./flush-format.ts";
import { Memtable } from "./memtable.ts";
import { packFlush, unpackSend } from "./pack-flush.ts";

/** Options of createSqliteMessageStore. */
export interface SqliteMessageStoreOptions {
  /** Must exist. */
  readonly directory: string;
  /** A commit is in the database after at most so long. @default 500 */
  readonly flushIntervalMs?: number;
  /** Sooner when so many bytes of messages wait. @default 4 MiB */
  readonly flushBytes?: number;
  /** While a flush is in hand and so many bytes wait, commits wait. @default 32 MiB */
  readonly maxWaitingBytes?: number;
  /** The database worker has died; the process should stop. */
  readonly onFailed?: (error: ChappeError) => void;
}

const noKey = new Uint8Array(0);
const firstRetryMs = 20;
const maxRetryMs = 1_000;

/**
 * Commits go to a table in memory and, by and by, whole and in order to SQLite in a worker thread. After a crash
 * `claim` answers the last flushed progress and the log replays the rest to the same rows.
 */
class SqliteMessageStore implements MessageStore {
  readonly #host: WorkerHost;
  readonly #flushIntervalMs: number;
  readonly #flushBytes: number;
  readonly #maxWaitingBytes: number;
  readonly #onFailed: (error: ChappeError) => void;
  readonly #progress = new Map<number, Claim>();
  #active = new Memtable();
  #frozen: Memtable | undefined;
  #flushing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushError: ChappeError | undefined;
  #closed = false;

  constructor(host: WorkerHost, options: SqliteMessageStoreOptions) {
    this.#host = host;
    this.#flushIntervalMs = options.flushIntervalMs ?? 500;
    this.#flushBytes = options.flushBytes ?? 4 * 1024 * 1024;
    this.#onFailed = options.onFailed ?? (() => {});
    this.#maxWaitingBytes = options.maxWaitingBytes ?? 32 * 1024 * 1024;
  }

  async claim(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>> {
    await this.#flushAll();
    const claims = new Map(await this.#host.call<[number, Claim][]>("claim", [partitions]));
    for (const [partition, claim] of claims) this.#progress.set(partition, claim);
    return claims;
  }

  async progress(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>> {
    const unknown = partitions.filter((partition) => !this.#progress.has(partition));
    const stored = unknown.length === 0 ? [] : await this.#host.call<[number, Claim][]>("progress", [unknown]);
    const found = new Map(stored);
    for (const partition of partitions) {
      const claim = this.#progress.get(partition);
      if (claim !== undefined) found.set(partition, claim);
    }
    return found;
  }

  async commit(batch: Parameters<MessageStore["commit"]>[0]): Promise<void> {
    if (this.#closed) throw new ChappeError("UNAVAILABLE", "the message store is closed");
    while (this.#frozen !== undefined && this.#active.bytes >= this.#maxWaitingBytes) {
      if (this.#flushError !== undefined) throw this.#flushError;
      await this.#flushing;
    }
    if (this.#flushError?.row.name === "INTERNAL") throw this.#flushError;
    for (const step of batch.progress) {
      const claim = this.#progress.get(step.partition);
      if (claim?.epoch !== step.epoch || claim.nextOffset !== step.fromOffset) throw new ChappeError("STALE_OWNER");
    }
    for (const { partition, epoch, nextOffset } of batch.progress) this.#progress.set(partition, { epoch, nextOffset });
    this.#active.add(batch);
    this.#schedule();
  }

  async heads(conversationIds: readonly Uint8Array[]): Promise<readonly number[]> {
    const heads = conversationIds.map((id) => this.#memoryHead(conversationKey(id)));
    const missing = conversationIds.filter((_, index) => heads[index] === undefined);
    if (missing.length === 0) return heads as number[];
    const stored = await this.#host.call<number[]>("heads", [missing]);
    let next = 0;
    return heads.map((head) => head ?? stored[next++]!);
  }

  async conversationsFrom(conversationId: Uint8Array, limit: number): Promise<readonly Uint8Array[]> {
    const from = conversationKey(conversationId);
    const tables = [this.#active, this.#frozen].flatMap((table) => (table === undefined ? [] : [...table.runs.keys()]));
    const stored = await this.#host.call<Uint8Array[]>("conversationsFrom", [conversationId, limit]);
    const keys = new Set([...tables.filter((key) => key >= from), ...stored.map(conversationKey)]);
    return [...keys].sort().slice(0, limit).map(conversationIdOfKey);
  }

  async findSends(keys: readonly SendKey[]): Promise<readonly (SendRow | undefined)[]> {
    const rows = keys.map((key) => this.#active.findSend(key) ?? this.#frozen?.findSend(key));
    const missing = keys.filter((_, index) => rows[index] === undefined);
    if (missing.length === 0) return rows;
    const plain = missing.map(({ conversationId, senderId, clientMessageId }) => ({
      conversationId,
      senderId,
      clientMessageId,
    }));
    const stored = await this.#host.call<(SendRow | undefined)[]>("findSends", [plain]);
    let next = 0;
    return rows.map((row) => row ?? stored[next++]);
  }

  async *sendIdsSince(idTimeMs: number): AsyncIterable<Uint8Array> {
    await this.#flushAll();
    for (let afterId = 0; ; ) {
      const block = await this.#host.call<{ id: number; body: Uint8Array } | undefined>("sendBlockSince", [
        idTimeMs,
        afterId,
      ]);
      if (block === undefined) return;
      for (let index = 0; index * packedSendBytes < block.body.length; index++) {
        const { clientMessageId } = unpackSend(block.body, index);
        if (uuidV7TimeMs(clientMessageId) >= idTimeMs) yield clientMessageId;
      }
      afterId = block.id;
    }
  }

  async readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    options: { maxMessages: number; maxBytes: number; fromEnd?: boolean },
  ): Promise<readonly MessageRun[]> {
    const key = conversationKey(conversationId);
    const recent = [...(this.#frozen?.runs.get(key) ?? []), ...(this.#active.runs.get(key) ?? [])];
    const firstRecent = recent[0]?.firstSeq ?? Number.MAX_SAFE_INTEGER;
    const cut = { fromSeq, toSeq, fromEnd: false, ...options };
    if (fromSeq >= firstRecent) return cutRuns(recent, cut);
    const request = { conversationId, ...cut, toSeq: Math.min(toSeq, firstRecent - 1) };
    const stored = await this.#host.call<MessageRun[]>("readRange", [request]);
    // A read from the front that the database already cut must not go on behind the cut.
    const last = stored.at(-1);
    const joins = options.fromEnd || last === undefined || last.firstSeq + last.count >= firstRecent;
    return cutRuns(joins ? [...stored, ...recent] : stored, cut);
  }

  async members(conversationId: Uint8Array): Promise<readonly MemberRow[]> {
    const rows = await this.#host.call<MemberRow[]>("members", [conversationId]);
    const merged = new Map(rows.map((row) => [row.userId, row]));
    const key = conversationKey(conversationId);
    for (const table of [this.#frozen, this.#active]) {
      for (const row of table?.members.get(key)?.values() ?? [])
        merged.set(row.userId, mergeMember(merged.get(row.userId), row));
    }
    return [...merged.values()].sort((a, b) => (a.userId < b.userId ? -1 : 1));
  }

  async conversationsOf(
    userId: bigint,
    options: { limit: number; afterConversationId?: Uint8Array },
  ): Promise<readonly ConversationRow[]> {
    const after = options.afterConversationId ?? noKey;
    const afterKey = conversationKey(after);
    const rows = await this.#host.call<ConversationRow[]>("conversationsOf", [userId, options.limit, after]);
    const merged = new Map(rows.map((row) => [conversationKey(row.conversationId), row]));
    for (const table of [this.#frozen, this.#active]) {
      for (const key of table?.conversationsByUser.get(userId) ?? []) {
        if (key <= afterKey) continue;
        const older = merged.get(key);
        const row = mergeMember(older, table!.members.get(key)!.get(userId)!);
        merged.set(key, { ...row, conversationId: conversationIdOfKey(key), headSeq: older?.headSeq ?? 0 });
      }
    }
    const sorted = [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, options.limit);
    return sorted.map(([key, row]) => ({ ...row, headSeq: this.#memoryHead(key) ?? row.headSeq }));
  }

  async expireSends(idTimeMs: number): Promise<number> {
    await this.#flushAll();
    return this.#host.call<number>("expireSends", [idTimeMs]);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushAll().catch(() => undefined);
    clearTimeout(this.#timer);
    await this.#host.close();
  }

  #memoryHead(key: string): number | undefined {
    return this.#active.head(key) ?? this.#frozen?.head(key);
  }

  #schedule(): void {
    if (this.#flushing !== undefined) return;
    if (this.#active.bytes >= this.#flushBytes) this.#startFlush();
    else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#startFlush();
      }, this.#flushIntervalMs);
    }
  }

  #startFlush(): void {
    if (this.#flushing !== undefined || this.#frozen !== undefined || this.#active.empty) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const table = this.#active;
    this.#frozen = table;
    this.#active = new Memtable();
    const progress = [...this.#progress].map(
      ([partition, { nextOffset, epoch }]) => [partition, nextOffset, epoch] as const,
    );
    this.#flushing = this.#flush(table, progress).finally(() => {
      this.#flushing = undefined;
      if (!this.#active.empty && !this.#closed) this.#schedule();
    });
  }

  /** Repeats until the database has it: the rows stay readable in memory meanwhile. */
  async #flush(table: Memtable, progress: readonly (readonly [number, number, number])[]): Promise<void> {
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(maxRetryMs, waitMs * 2)) {
      const flush = packFlush(table, progress);
      try {
        await this.#host.call("flush", [flush], transferables(flush));
        this.#frozen = undefined;
        this.#flushError = undefined;
        return;
      } catch (error) {
        this.#flushError = ChappeError.from(error);
        const final = this.#flushError.row.name !== "DISK_FULL";
        if (final) this.#onFailed(this.#flushError);
        if (final || this.#closed) return;
        await sleep(waitMs);
      }
    }
  }

  async #flushAll(): Promise<void> {
    while (this.#flushing !== undefined || !this.#active.empty) {
      if (this.#flushError !== undefined) throw this.#flushError;
      this.#startFlush();
      await this.#flushing;
    }
  }
}

const transferables = (flush: ReturnType<typeof packFlush>): ArrayBuffer[] =>
  [...flush.segments, flush.runs.conversations, flush.runs.numbers, flush.sends].map(
    (view) => view.buffer as ArrayBuffer,
  );

/** Opens the message store of a data directory. UNAVAILABLE when another version made it. */
export async function createSqliteMessageStore(options: SqliteMessageStoreOptions): Promise<MessageStore> {
  const file = join(options.directory, "messages.db");
  const host = await createWorkerHost(new URL("./worker.ts", import.meta.url), { file }, options.onFailed);
  return new SqliteMessageStore(host, options);
}
