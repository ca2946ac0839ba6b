import { ChappeError } from "../../errors/chappe-error.ts";
import { conversationIdOfKey, conversationKey } from "../../ids/conversation-id.ts";
import { uuidV7TimeMs } from "../../ids/uuid-v7.ts";
import type { ArchiveSource } from "../../ports/archive-source.ts";
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
import { cutRuns, type RunCut } from "../cut-runs.ts";
import { mergeMember } from "../merge-member.ts";
import { createMemoryArchiveSource } from "./create-memory-archive-source.ts";

interface Conversation {
  /** In order of seq. */
  runs: MessageRun[];
  readonly members: Map<bigint, MemberRow>;
  headSeq: number;
}

const sendKeyOf = (key: SendKey): string =>
  `${conversationKey(key.conversationId)}/${key.senderId}/${Buffer.from(key.clientMessageId).toString("latin1")}`;

/** A MessageStore in memory, whose old days can be archived. */
export interface MemoryMessageStore extends MessageStore {
  /** What an archiver moves away from it; ends with the store. */
  readonly archive: ArchiveSource;
}

class MemoryStore implements MemoryMessageStore {
  readonly #progress = new Map<number, Claim>();
  readonly #conversations = new Map<string, Conversation>();
  readonly #conversationsByUser = new Map<bigint, Set<string>>();
  readonly #sends = new Map<string, SendRow>();
  readonly archive = createMemoryArchiveSource({
    commits: () => this.#commits,
    runs: () => [...this.#conversations.values()].flatMap(({ runs }) => runs),
    remove: (gone) => {
      for (const conversation of this.#conversations.values())
        conversation.runs = conversation.runs.filter((run) => !gone.has(run));
    },
  });
  #commits = 0;
  #closed = false;

  async claim(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>> {
    this.#assertOpen();
    for (const partition of partitions) {
      const { nextOffset, epoch } = this.#progress.get(partition) ?? { nextOffset: 0, epoch: 0 };
      this.#progress.set(partition, { nextOffset, epoch: epoch + 1 });
    }
    return this.progress(partitions);
  }

  async commit(batch: StoreCommit): Promise<void> {
    this.#assertOpen();
    for (const { partition, epoch, fromOffset } of batch.progress) {
      const stored = this.#progress.get(partition);
      if (stored?.epoch !== epoch || stored.nextOffset !== fromOffset) throw new ChappeError("STALE_OWNER");
    }
    for (const { partition, epoch, nextOffset } of batch.progress) this.#progress.set(partition, { nextOffset, epoch });
    this.#commits++;
    for (const run of batch.runs) this.#addRun(run);
    for (const send of batch.sends) this.#sends.set(sendKeyOf(send), send);
    for (const member of batch.members) this.#upsertMember(member);
  }

  async progress(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>> {
    this.#assertOpen();
    return new Map(
      partitions.flatMap((partition) => {
        const stored = this.#progress.get(partition);
        return stored === undefined ? [] : [[partition, stored] as const];
      }),
    );
  }

  async heads(conversationIds: readonly Uint8Array[]): Promise<readonly number[]> {
    this.#assertOpen();
    return conversationIds.map((id) => this.#conversations.get(conversationKey(id))?.headSeq ?? 0);
  }

  async conversationsFrom(conversationId: Uint8Array, limit: number): Promise<readonly Uint8Array[]> {
    this.#assertOpen();
    const from = conversationKey(conversationId);
    const keys = [...this.#conversations].filter(([key, { headSeq }]) => key >= from && headSeq > 0);
    return keys
      .map(([key]) => key)
      .sort()
      .slice(0, limit)
      .map(conversationIdOfKey);
  }

  async findSends(keys: readonly SendKey[]): Promise<readonly (SendRow | undefined)[]> {
    this.#assertOpen();
    return keys.map((key) => this.#sends.get(sendKeyOf(key)));
  }

  async *sendIdsSince(idTimeMs: number): AsyncIterable<Uint8Array> {
    this.#assertOpen();
    const rows = [...this.#sends.values()].filter(({ clientMessageId }) => uuidV7TimeMs(clientMessageId) >= idTimeMs);
    if (rows.length > 0) yield Uint8Array.from(Buffer.concat(rows.map(({ clientMessageId }) => clientMessageId)));
  }

  async readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    options: Omit<RunCut, "fromSeq" | "toSeq">,
  ): Promise<readonly MessageRun[]> {
    this.#assertOpen();
    const runs = this.#conversations.get(conversationKey(conversationId))?.runs ?? [];
    return cutRuns(runs, { ...options, fromSeq, toSeq });
  }

  async members(conversationId: Uint8Array): Promise<readonly MemberRow[]> {
    this.#assertOpen();
    const rows = [...(this.#conversations.get(conversationKey(conversationId))?.members.values() ?? [])];
    return rows.sort((a, b) => (a.userId < b.userId ? -1 : 1));
  }

  async conversationsOf(
    userId: bigint,
    options: { limit: number; afterConversationId?: Uint8Array },
  ): Promise<readonly ConversationRow[]> {
    this.#assertOpen();
    const after = options.afterConversationId === undefined ? "" : conversationKey(options.afterConversationId);
    // Keys are one character a byte, so their order is the order of the ids.
    const keys = [...(this.#conversationsByUser.get(userId) ?? [])].filter((key) => key > after).sort();
    return keys.slice(0, options.limit).map((key) => {
      const { members, headSeq } = this.#conversations.get(key)!;
      return { ...members.get(userId)!, headSeq };
    });
  }

  async expireSends(idTimeMs: number): Promise<number> {
    this.#assertOpen();
    const before = this.#sends.size;
    for (const [key, { clientMessageId }] of this.#sends)
      if (uuidV7TimeMs(clientMessageId) < idTimeMs) this.#sends.delete(key);
    return before - this.#sends.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.archive.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new ChappeError("UNAVAILABLE");
  }

  #conversation(conversationId: Uint8Array): Conversation {
    const key = conversationKey(conversationId);
    const known = this.#conversations.get(key);
    if (known !== undefined) return known;
    const fresh: Conversation = { runs: [], members: new Map(), headSeq: 0 };
    this.#conversations.set(key, fresh);
    return fresh;
  }

  #addRun(run: MessageRun): void {
    const conversation = this.#conversation(run.conversationId);
    conversation.runs.push({ ...run, bytes: new Uint8Array(run.bytes) });
    conversation.runs.sort((a, b) => a.firstSeq - b.firstSeq);
    conversation.headSeq = Math.max(conversation.headSeq, run.firstSeq + run.count - 1);
  }

  #upsertMember(row: MemberRow): void {
    const { members } = this.#conversation(row.conversationId);
    members.set(row.userId, mergeMember(members.get(row.userId), row));
    const keys = this.#conversationsByUser.get(row.userId) ?? new Set<string>();
    this.#conversationsByUser.set(row.userId, keys.add(conversationKey(row.conversationId)));
  }
}

/** A MessageStore in memory: durable for the life of the process only. */
export function createMemoryMessageStore(): MemoryMessageStore {
  return new MemoryStore();
}
