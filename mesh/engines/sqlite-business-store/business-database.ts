import type { DatabaseSync, StatementSync } from "node:sqlite";
import { changeBodies } from "../../changes/change-bodies.ts";
import { ChappeError } from "../../errors/chappe-error.ts";
import type {
  CursorRow,
  GroupRow,
  NewGroup,
  NewUser,
  OutboxRow,
  SessionRow,
  UserRow,
} from "../../ports/business-store.ts";
import { inTransaction, openDatabase } from "../sqlite/open-database.ts";
import type { WorkerMethods } from "../sqlite/serve-worker.ts";

const schemaVersion = 2;

const schema = `
  CREATE TABLE user(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
    password_hash TEXT NOT NULL, session_version INTEGER NOT NULL, profile_version INTEGER NOT NULL DEFAULT 1);
  CREATE TABLE session(
    id INTEGER PRIMARY KEY, user INTEGER NOT NULL, refresh_hash BLOB NOT NULL, expires_time_ms INTEGER NOT NULL);
  CREATE INDEX session_user ON session(user);
  CREATE TABLE chat_group(
    id BLOB PRIMARY KEY, title TEXT NOT NULL, owner INTEGER NOT NULL, created_time_ms INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
  CREATE TABLE cursor(
    conversation BLOB NOT NULL, user INTEGER NOT NULL, delivered_seq INTEGER NOT NULL, read_seq INTEGER NOT NULL,
    PRIMARY KEY(conversation, user)) WITHOUT ROWID;
  CREATE TABLE secret(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE outbox(id INTEGER PRIMARY KEY, body BLOB NOT NULL)`;

const upgrades = {
  1: `ALTER TABLE user ADD COLUMN profile_version INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE chat_group ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE outbox(id INTEGER PRIMARY KEY, body BLOB NOT NULL)`,
};

/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY. */
const uniqueErrors = new Set([2067, 1555]);

type Columns = Readonly<Record<string, bigint | string | Uint8Array>>;

const toUser = (row: Columns): UserRow => ({
  userId: row.id as bigint,
  name: row.name as string,
  displayName: row.display_name as string,
  passwordHash: row.password_hash as string,
  sessionVersion: Number(row.session_version),
  profileVersion: Number(row.profile_version),
});
const toSession = (row: Columns): SessionRow => ({
  sessionId: row.id as bigint,
  userId: row.user as bigint,
  refreshHash: row.refresh_hash as Uint8Array,
  expiresTimeMs: Number(row.expires_time_ms),
});
const toGroup = (row: Columns): GroupRow => ({
  conversationId: row.id as Uint8Array,
  title: row.title as string,
  ownerId: row.owner as bigint,
  createdTimeMs: Number(row.created_time_ms),
  version: Number(row.version),
});
const toCursor = (row: Columns): CursorRow => ({
  conversationId: row.conversation as Uint8Array,
  userId: row.user as bigint,
  deliveredSeq: Number(row.delivered_seq),
  readSeq: Number(row.read_seq),
});

class BusinessDatabase {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    const options = {
      file,
      pageBytes: 4096,
      synchronous: "full",
      cacheKib: 16_384,
      autoCheckpointPages: 1_000,
    } as const;
    this.#db = openDatabase({ ...options, schemaVersion, schema, upgrades });
  }

  insertUser(row: NewUser): void {
    try {
      this.#sql("INSERT INTO user VALUES(?, ?, ?, ?, ?, 1)").run(
        row.userId,
        row.name,
        row.displayName,
        row.passwordHash,
        row.sessionVersion,
      );
    } catch (error) {
      if (!uniqueErrors.has((error as { errcode?: number }).errcode ?? 0)) throw error;
      throw new ChappeError("ALREADY_EXISTS", "name: is taken");
    }
  }

  usersById(ids: readonly bigint[]): UserRow[] {
    return this.#each("SELECT * FROM user WHERE id = ?", ids).map(toUser);
  }

  usersByName(names: readonly string[]): UserRow[] {
    return this.#each("SELECT * FROM user WHERE name = ?", names).map(toUser);
  }

  raiseSessionVersion(userId: bigint): number {
    return inTransaction(this.#db, () => {
      const raised = this.#sql(
        "UPDATE user SET session_version = session_version + 1 WHERE id = ? RETURNING session_version",
      );
      const row = raised.get(userId) as Columns | undefined;
      if (row === undefined) throw new ChappeError("NOT_FOUND", `there is no user ${userId}`);
      this.#sql("DELETE FROM session WHERE user = ?").run(userId);
      const version = Number(row.session_version);
      this.#addToOutbox(changeBodies.raisedSessions(userId, version));
      return version;
    });
  }

  insertSession(row: SessionRow): void {
    this.#sql("INSERT INTO session VALUES(?, ?, ?, ?)").run(
      row.sessionId,
      row.userId,
      row.refreshHash,
      row.expiresTimeMs,
    );
  }

  session(id: bigint): SessionRow | undefined {
    return this.#each("SELECT * FROM session WHERE id = ?", [id]).map(toSession)[0];
  }

  rotateSession(id: bigint, expectedHash: Uint8Array, next: SessionRow): boolean {
    const update = this.#sql(
      "UPDATE session SET refresh_hash = ?, expires_time_ms = ? WHERE id = ? AND refresh_hash = ?",
    );
    return Number(update.run(next.refreshHash, next.expiresTimeMs, id, expectedHash).changes) === 1;
  }

  deleteSession(id: bigint): void {
    inTransaction(this.#db, () => {
      const row = this.#sql("DELETE FROM session WHERE id = ? RETURNING user").get(id) as Columns | undefined;
      if (row !== undefined) this.#addToOutbox(changeBodies.endedSession(row.user as bigint, id));
    });
  }

  updateProfile(userId: bigint, { displayName }: Pick<UserRow, "displayName">): UserRow {
    return inTransaction(this.#db, () => {
      const set = this.#sql(`UPDATE user SET display_name = ?, profile_version = profile_version + 1
        WHERE id = ? AND display_name <> ?`);
      const isChanged = Number(set.run(displayName, userId, displayName).changes) === 1;
      const [user] = this.usersById([userId]);
      if (user === undefined) throw new ChappeError("NOT_FOUND", `there is no user ${userId}`);
      if (isChanged) this.#addToOutbox(changeBodies.userProfile(user));
      return user;
    });
  }

  insertGroup(row: NewGroup): void {
    this.#sql("INSERT INTO chat_group VALUES(?, ?, ?, ?, 1)").run(
      row.conversationId,
      row.title,
      row.ownerId,
      row.createdTimeMs,
    );
  }

  updateGroup(conversationId: Uint8Array, { title }: Pick<GroupRow, "title">): GroupRow {
    return inTransaction(this.#db, () => {
      const set = this.#sql("UPDATE chat_group SET title = ?, version = version + 1 WHERE id = ? AND title <> ?");
      const isChanged = Number(set.run(title, conversationId, title).changes) === 1;
      const [group] = this.groups([conversationId]);
      if (group === undefined) throw new ChappeError("NOT_FOUND", "there is no such group");
      if (isChanged) this.#addToOutbox(changeBodies.groupProfile(group));
      return group;
    });
  }

  groups(ids: readonly Uint8Array[]): GroupRow[] {
    return this.#each("SELECT * FROM chat_group WHERE id = ?", ids).map(toGroup);
  }

  raiseCursors(rows: readonly CursorRow[]): void {
    inTransaction(this.#db, () => {
      const upsert = this.#sql(`INSERT INTO cursor VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        delivered_seq = max(delivered_seq, excluded.delivered_seq), read_seq = max(read_seq, excluded.read_seq)`);
      for (const row of rows) upsert.run(row.conversationId, row.userId, row.deliveredSeq, row.readSeq);
    });
  }

  cursors(conversationId: Uint8Array, limit: number): CursorRow[] {
    const read = this.#sql("SELECT * FROM cursor WHERE conversation = ? ORDER BY user LIMIT ?");
    return (read.all(conversationId, limit) as Columns[]).map(toCursor);
  }

  cursorsOf(userId: bigint, ids: readonly Uint8Array[]): CursorRow[] {
    const read = this.#sql("SELECT * FROM cursor WHERE conversation = ? AND user = ?");
    return ids.flatMap((id) => {
      const row = read.get(id, userId) as Columns | undefined;
      return row === undefined ? [] : [toCursor(row)];
    });
  }

  secret(name: string): Uint8Array | undefined {
    return this.#each("SELECT * FROM secret WHERE name = ?", [name])[0]?.value as Uint8Array | undefined;
  }

  /** Keeps the value that is there; answers the one that stands. */
  storeSecret(name: string, value: Uint8Array): Uint8Array {
    this.#sql("INSERT OR IGNORE INTO secret VALUES(?, ?)").run(name, value);
    return this.secret(name)!;
  }

  outbox(limit: number): OutboxRow[] {
    const rows = this.#sql("SELECT * FROM outbox ORDER BY id LIMIT ?").all(limit) as Columns[];
    return rows.map(({ id, body }) => ({ id: id as bigint, body: body as Uint8Array }));
  }

  deleteOutbox(ids: readonly bigint[]): void {
    inTransaction(this.#db, () => {
      const gone = this.#sql("DELETE FROM outbox WHERE id = ?");
      for (const id of ids) gone.run(id);
    });
  }

  close(): void {
    this.#db.close();
  }

  #addToOutbox(body: Uint8Array): void {
    this.#sql("INSERT INTO outbox(body) VALUES(?)").run(body);
  }

  #each(text: string, keys: readonly (bigint | string | Uint8Array)[]): Columns[] {
    const read = this.#sql(text);
    return keys.flatMap((key) => {
      const row = read.get(key) as Columns | undefined;
      return row === undefined ? [] : [row];
    });
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      statement.setReadBigInts(true);
      this.#statements.set(text, statement);
    }
    return statement;
  }
}

/** Opens the business database of one file; its methods run in a worker thread. */
export function openBusinessDatabase(file: string): WorkerMethods {
  const database = new BusinessDatabase(file);
  return {
    insertUser: (row: NewUser) => database.insertUser(row),
    usersById: (ids: readonly bigint[]) => database.usersById(ids),
    usersByName: (names: readonly string[]) => database.usersByName(names),
    raiseSessionVersion: (id: bigint) => database.raiseSessionVersion(id),
    insertSession: (row: SessionRow) => database.insertSession(row),
    session: (id: bigint) => database.session(id),
    rotateSession: (id: bigint, hash: Uint8Array, next: SessionRow) => database.rotateSession(id, hash, next),
    deleteSession: (id: bigint) => database.deleteSession(id),
    updateProfile: (id: bigint, profile: Pick<UserRow, "displayName">) => database.updateProfile(id, profile),
    insertGroup: (row: NewGroup) => database.insertGroup(row),
    updateGroup: (id: Uint8Array, profile: Pick<GroupRow, "title">) => database.updateGroup(id, profile),
    groups: (ids: readonly Uint8Array[]) => database.groups(ids),
    raiseCursors: (rows: readonly CursorRow[]) => database.raiseCursors(rows),
    cursors: (id: Uint8Array, limit: number) => database.cursors(id, limit),
    cursorsOf: (userId: bigint, ids: readonly Uint8Array[]) => database.cursorsOf(userId, ids),
    secret: (name: string) => database.secret(name),
    storeSecret: (name: string, value: Uint8Array) => database.storeSecret(name, value),
    outbox: (limit: number) => database.outbox(limit),
    deleteOutbox: (ids: readonly bigint[]) => database.deleteOutbox(ids),
    close: () => database.close(),
  };
}
