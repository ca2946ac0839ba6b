/** An account. */
export interface UserRow {
  readonly userId: bigint;
  readonly name: string;
  readonly displayName: string;
  /** PHC string of the password. */
  readonly passwordHash: string;
  /** Tokens with a lower version are refused. Starts at 1. */
  readonly sessionVersion: number;
}

/** A signed-in session; the refresh token itself is never stored. */
export interface SessionRow {
  readonly sessionId: bigint;
  readonly userId: bigint;
  /** SHA-256 of the newest refresh token. */
  readonly refreshHash: Uint8Array;
  readonly expiresTimeMs: number;
}

/** A group's profile; its members are in the MessageStore. */
export interface GroupRow {
  readonly conversationId: Uint8Array;
  readonly title: string;
  readonly ownerId: bigint;
  readonly createdTimeMs: number;
}

/** How far a member has got; both only rise. */
export interface CursorRow {
  readonly conversationId: Uint8Array;
  readonly userId: bigint;
  readonly deliveredSeq: number;
  readonly readSeq: number;
}

/**
 * Accounts, sessions, group profiles, cursors and named secrets. Every method is atomic and, unless it says otherwise,
 * durable when it settles.
 */
export interface BusinessStore {
  /** ALREADY_EXISTS when the name or the id is taken. */
  insertUser(row: UserRow): Promise<void>;
  usersById(userIds: readonly bigint[]): Promise<readonly UserRow[]>;
  usersByName(names: readonly string[]): Promise<readonly UserRow[]>;
  /** Raises the user's session version by one, deletes the user's sessions, answers the new version. NOT_FOUND. */
  raiseSessionVersion(userId: bigint): Promise<number>;
  insertSession(row: SessionRow): Promise<void>;
  session(sessionId: bigint): Promise<SessionRow | undefined>;
  /** Swaps the hash and expiry only when `expectedHash` is the stored one; answers whether it did. */
  rotateSession(sessionId: bigint, expectedHash: Uint8Array, next: SessionRow): Promise<boolean>;
  deleteSession(sessionId: bigint): Promise<void>;
  insertGroup(row: GroupRow): Promise<void>;
  groups(conversationIds: readonly Uint8Array[]): Promise<readonly GroupRow[]>;
  /** Upserts to the higher of old and new, each field by itself. Lazily durable: a crash may lose the newest. */
  raiseCursors(rows: readonly CursorRow[]): Promise<void>;
  cursors(conversationId: Uint8Array, limit: number): Promise<readonly CursorRow[]>;
  /** The cursors of one user in these conversations; missing ones are left out. */
  cursorsOf(userId: bigint, conversationIds: readonly Uint8Array[]): Promise<readonly CursorRow[]>;
  /** The secret of that name; made by `make` and stored when there is none. Concurrent callers get the same. */
  secret(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array>;
  close(): Promise<void>;
}
