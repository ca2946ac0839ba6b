import { conversationKey } from "../../ids/conversation-id.ts";
import type { MemberRow, MessageRun, SendKey, SendRow, StoreCommit } from "../../ports/message-store.ts";
import { mergeMember } from "../merge-member.ts";

const isSame = (row: SendRow, key: SendKey): boolean =>
  row.senderId === key.senderId && Buffer.compare(row.conversationId, key.conversationId) === 0;

/** Commits that are not in the database yet. */
export class Memtable {
  readonly runs = new Map<string, MessageRun[]>();
  readonly sends = new Map<string, SendRow[]>();
  readonly members = new Map<string, Map<bigint, MemberRow>>();
  readonly conversationsByUser = new Map<bigint, Set<string>>();
  bytes = 0;
  messages = 0;
  #touched = false;

  /** True until a commit was added, also one that moves nothing but progress. */
  get empty(): boolean {
    return !this.#touched;
  }

  add(commit: StoreCommit): void {
    this.#touched = true;
    for (const run of commit.runs) this.#addRun(run);
    for (const row of commit.sends) this.#addSend(row);
    for (const row of commit.members) this.#addMember(row);
  }

  /** Newest seq of the conversation in this table, undefined when it has none. */
  head(key: string): number | undefined {
    const last = this.runs.get(key)?.at(-1);
    return last === undefined ? undefined : last.firstSeq + last.count - 1;
  }

  findSend(key: SendKey): SendRow | undefined {
    return this.sends.get(conversationKey(key.clientMessageId))?.find((row) => isSame(row, key));
  }

  #addRun(run: MessageRun): void {
    const key = conversationKey(run.conversationId);
    const runs = this.runs.get(key);
    if (runs === undefined) this.runs.set(key, [run]);
    else runs.push(run);
    this.bytes += run.bytes.length;
    this.messages += run.count;
  }

  #addSend(row: SendRow): void {
    const key = conversationKey(row.clientMessageId);
    const rows = this.sends.get(key);
    if (rows === undefined) this.sends.set(key, [row]);
    else rows.push(row);
  }

  #addMember(row: MemberRow): void {
    const key = conversationKey(row.conversationId);
    let rows = this.members.get(key);
    if (rows === undefined) {
      rows = new Map();
      this.members.set(key, rows);
    }
    rows.set(row.userId, mergeMember(rows.get(row.userId), row));
    const conversations = this.conversationsByUser.get(row.userId);
    if (conversations === undefined) this.conversationsByUser.set(row.userId, new Set([key]));
    else conversations.add(key);
  }
}
