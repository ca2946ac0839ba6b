import { changeBodies } from "../../changes/change-bodies.ts";
import { ChappeError } from "../../errors/chappe-error.ts";
import { conversationKey } from "../../ids/conversation-id.ts";
import type {
  BusinessStore,
  CursorRow,
  GroupRow,
  NewGroup,
  NewUser,
  OutboxRow,
  SessionRow,
  UserRow,
} from "../../ports/business-store.ts";

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const copyOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

class MemoryBusinessStore implements BusinessStore {
  readonly #users = new Map<bigint, UserRow>();
  readonly #idsByName = new Map<string, bigint>();
  readonly #sessions = new Map<bigint, SessionRow>();
  readonly #groups = new Map<string, GroupRow>();
  readonly #cursors = new Map<string, Map<bigint, CursorRow>>();
  readonly #secrets = new Map<string, Promise<Uint8Array>>();
  #outbox: OutboxRow[] = [];
  #lastOutboxId = 0n;
  #closed = false;

  async insertUser(row: NewUser): Promise<void> {
    this.#assertOpen();
    if (this.#users.has(row.userId) || this.#idsByName.has(row.name)) throw new ChappeError("ALREADY_EXISTS");
    this.#users.set(row.userId, { ...row, profileVersion: 1 });
    this.#idsByName.set(row.name, row.userId);
  }

  async usersById(userIds: readonly bigint[]): Promise<readonly UserRow[]> {
    this.#assertOpen();
    return [...new Set(userIds)].flatMap((userId) => this.#users.get(userId) ?? []);
  }

  async usersByName(names: readonly string[]): Promise<readonly UserRow[]> {
    this.#assertOpen();
    return [...new Set(names)].flatMap((name) => this.#users.get(this.#idsByName.get(name) ?? 0n) ?? []);
  }

  async raiseSessionVersion(userId: bigint): Promise<number> {
    this.#assertOpen();
    const user = this.#users.get(userId);
    if (user === undefined) throw new ChappeError("NOT_FOUND");
    const sessionVersion = user.sessionVersion + 1;
    this.#users.set(userId, { ...user, sessionVersion });
    for (const session of this.#sessions.values())
      if (session.userId === userId) this.#sessions.delete(session.sessionId);
    this.#addToOutbox(changeBodies.raisedSessions(userId, sessionVersion));
    return sessionVersion;
  }

  async insertSession(row: SessionRow): Promise<void> {
    this.#assertOpen();
    this.#sessions.set(row.sessionId, { ...row, refreshHash: copyOf(row.refreshHash) });
  }

  async session(sessionId: bigint): Promise<SessionRow | undefined> {
    this.#assertOpen();
    return this.#sessions.get(sessionId);
  }

  async rotateSession(sessionId: bigint, expectedHash: Uint8Array, next: SessionRow): Promise<boolean> {
    this.#assertOpen();
    const stored = this.#sessions.get(sessionId);
    if (stored === undefined || !sameBytes(stored.refreshHash, expectedHash)) return false;
    const { refreshHash, expiresTimeMs } = next;
    this.#sessions.set(sessionId, { ...stored, refreshHash: copyOf(refreshHash), expiresTimeMs });
    return true;
  }

  async deleteSession(sessionId: bigint): Promise<void> {
    this.#assertOpen();
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#sessions.delete(sessionId);
    this.#addToOutbox(changeBodies.endedSession(session.userId, sessionId));
  }

  async updateProfile(userId: bigint, { displayName }: Pick<UserRow, "displayName">): Promise<UserRow> {
    this.#assertOpen();
    const user = this.#users.get(userId);
    if (user === undefined) throw new ChappeError("NOT_FOUND", `there is no user ${userId}`);
    if (user.displayName === displayName) return user;
    const changed = { ...user, displayName, profileVersion: user.profileVersion + 1 };
    this.#users.set(userId, changed);
    this.#addToOutbox(changeBodies.userProfile(changed));
    return changed;
  }

  async insertGroup(row: NewGroup): Promise<void> {
    this.#assertOpen();
    const key = conversationKey(row.conversationId);
    if (this.#groups.has(key)) throw new ChappeError("ALREADY_EXISTS");
    this.#groups.set(key, { ...row, conversationId: copyOf(row.conversationId), version: 1 });
  }

  async updateGroup(conversationId: Uint8Array, { title }: Pick<GroupRow, "title">): Promise<GroupRow> {
    this.#assertOpen();
    const key = conversationKey(conversationId);
    const group = this.#groups.get(key);
    if (group === undefined) throw new ChappeError("NOT_FOUND", "there is no such group");
    if (group.title === title) return group;
    const changed = { ...group, title, version: group.version + 1 };
    this.#groups.set(key, changed);
    this.#addToOutbox(changeBodies.groupProfile(changed));
    return changed;
  }

  async groups(conversationIds: readonly Uint8Array[]): Promise<readonly GroupRow[]> {
    this.#assertOpen();
    return [...new Set(conversationIds.map(conversationKey))].flatMap((key) => this.#groups.get(key) ?? []);
  }

  async raiseCursors(rows: readonly CursorRow[]): Promise<void> {
    this.#assertOpen();
    for (const row of rows) this.#raiseCursor(row);
  }

  async cursors(conversationId: Uint8Array, limit: number): Promise<readonly CursorRow[]> {
    this.#assertOpen();
    const rows = [...(this.#cursors.get(conversationKey(conversationId))?.values() ?? [])];
    return rows.sort((a, b) => (a.userId < b.userId ? -1 : 1)).slice(0, limit);
  }

  async cursorsOf(userId: bigint, conversationIds: readonly Uint8Array[]): Promise<readonly CursorRow[]> {
    this.#assertOpen();
    return conversationIds.flatMap((id) => this.#cursors.get(conversationKey(id))?.get(userId) ?? []);
  }

  async secret(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    this.#assertOpen();
    const known = this.#secrets.get(name);
    if (known !== undefined) return copyOf(await known);
    const made = make();
    this.#secrets.set(name, made);
    made.catch(() => this.#secrets.delete(name));
    return copyOf(await made);
  }

  async outbox(limit: number): Promise<readonly OutboxRow[]> {
    this.#assertOpen();
    return this.#outbox.slice(0, limit);
  }

  async deleteOutbox(ids: readonly bigint[]): Promise<void> {
    this.#assertOpen();
    const gone = new Set(ids);
    this.#outbox = this.#outbox.filter(({ id }) => !gone.has(id));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw new ChappeError("UNAVAILABLE");
  }

  #addToOutbox(body: Uint8Array): void {
    this.#outbox.push({ id: ++this.#lastOutboxId, body });
  }

  #raiseCursor(row: CursorRow): void {
    const key = conversationKey(row.conversationId);
    const rows = this.#cursors.get(key) ?? new Map<bigint, CursorRow>();
    this.#cursors.set(key, rows);
    const old = rows.get(row.userId);
    rows.set(row.userId, {
      conversationId: old?.conversationId ?? copyOf(row.conversationId),
      userId: row.userId,
      deliveredSeq: Math.max(row.deliveredSeq, old?.deliveredSeq ?? 0),
      readSeq: Math.max(row.readSeq, old?.readSeq ?? 0),
    });
  }
}

/** A BusinessStore in memory: durable for the life of the process only. */
export function createMemoryBusinessStore(): BusinessStore {
  return new MemoryBusinessStore();
}
