/** An account. */
export interface UserRow {
  readonly userId: bigint;
  readonly name: string;
  readonly displayName: string;
  /** PHC string of the password. */
  readonly passwordHash: string;
  /** Tokens with a lower version are refused. Starts at 1. */
  readonly sessionVersion: number;
  /** Of what others see: 1 at first, one more with every change of it. */
  readonly profileVersion: number;
}

/** An account to be made. */
export type NewUser = Omit<UserRow, "profileVersion">;

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
  /** Of the profile: 1 at first, one more with every change of it. */
  readonly version: number;
}

/** A group to be made. */
export type NewGroup = Omit<GroupRow, "version">;

/** How far a member has got; both only rise. */
export interface CursorRow {
  readonly conversationId: Uint8Array;
  readonly userId: bigint;
  readonly deliveredSeq: number;
  readonly readSeq: number;
}

/** A change that may not be on the log of changes yet. */
export interface OutboxRow {
  /** Of the rows of one aggregate, the later change has the higher id. */
  readonly id: bigint;
  /** An encoded chappe.mesh.v1.Change. */
  readonly body: Uint8Array;
}

/**
 * Accounts, sessions, group profiles, cursors and named secrets. Every method is atomic and, unless it says otherwise,
 * durable when it settles.
 *
 * What others have to learn of is stored together with a row of the outbox, both or neither: the end of a session, a
 * raised session version, a changed profile. Rows leave the outbox only by `deleteOutbox`, after the log has them.
 */
export interface BusinessStore {
  /** ALREADY_EXISTS when the name or the id is taken. */
  insertUser(row: NewUser): Promise<void>;
  usersById(userIds: readonly bigint[]): Promise<readonly UserRow[]>;
  usersByName(names: readonly string[]): Promise<readonly UserRow[]>;
  /**
   * Raises the user's session version by one, deletes the user's sessions, answers the new version. NOT_FOUND.
   * Outbox: RaisedSessions.
   */
  raiseSessionVersion(userId: bigint): Promise<number>;
  insertSession(row: SessionRow): Promise<void>;
  session(sessionId: bigint): Promise<SessionRow | undefined>;
  /** Swaps the hash and expiry only when `expectedHash` is the stored one; answers whether it did. */
  rotateSession(sessionId: bigint, expectedHash: Uint8Array, next: SessionRow): Promise<boolean>;
  /** Outbox: EndedSession, when there was such a session. */
  deleteSession(sessionId: bigint): Promise<void>;
  /** Answers the row as it is then. NOT_FOUND. Outbox: UserProfile, when something changed; else the version stays. */
  updateProfile(userId: bigint, profile: Pick<UserRow, "displayName">): Promise<UserRow>;
  insertGroup(row: NewGroup): Promise<void>;
  /** Answers the row as it is then. NOT_FOUND. Outbox: GroupProfile, when something changed; else the version stays. */
  updateGroup(conversationId: Uint8Array, profile: Pick<GroupRow, "title">): Promise<GroupRow>;
  groups(conversationIds: readonly Uint8Array[]): Promise<readonly GroupRow[]>;
  /** Upserts to the higher of old and new, each field by itself. Lazily durable: a crash may lose the newest. */
  raiseCursors(rows: readonly CursorRow[]): Promise<void>;
  cursors(conversationId: Uint8Array, limit: number): Promise<readonly CursorRow[]>;
  /** The cursors of one user in these conversations; missing ones are left out. */
  cursorsOf(userId: bigint, conversationIds: readonly Uint8Array[]): Promise<readonly CursorRow[]>;
  /** The secret of that name; made by `make` and stored when there is none. Concurrent callers get the same. */
  secret(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array>;
  /** The oldest rows of the outbox, in order of id. */
  outbox(limit: number): Promise<readonly OutboxRow[]>;
  /** Ids that are not there are left out. */
  deleteOutbox(ids: readonly bigint[]): Promise<void>;
  close(): Promise<void>;
}
