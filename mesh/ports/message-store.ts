/** Identity of a send: (conversation, sender, client message id). */
export interface SendKey {
  readonly conversationId: Uint8Array;
  readonly senderId: bigint;
  readonly clientMessageId: Uint8Array;
}

/** Digest of a send whose body was unreadable: no resend is equal to it. */
export const noDigest = 0n;

/** A settled send. */
export interface SendRow extends SendKey {
  readonly seq: number;
  /** First 8 bytes of the SHA-256 of the body; noDigest when a placeholder stands in its place. */
  readonly digest: bigint;
  /** When the message became durable, Unix milliseconds. */
  readonly loggedTimeMs: number;
}

/** Consecutive messages of one conversation. */
export interface MessageRun {
  readonly conversationId: Uint8Array;
  readonly firstSeq: number;
  readonly count: number;
  /**
   * The messages one after the other, each an encoded chappe.msg.v1.Message behind the tag byte 0x12 and its length:
   * exactly the bytes of field 2 of MessageArrived and of ListMessagesResponse, so a page is made by copying.
   */
  readonly bytes: Uint8Array;
}

/** A member's row; it stays after the member has left. */
export interface MemberRow {
  readonly conversationId: Uint8Array;
  readonly userId: bigint;
  /** chappe.msg.v1.MemberRole; 0 once the member has left. */
  readonly role: number;
  /** First seq that the member may read. */
  readonly joinSeq: number;
  /** First seq that the member may no longer read; 0 = still a member. */
  readonly leaveSeq: number;
}

/** Progress of one partition, moved from `fromOffset` to `nextOffset` by the owner of `epoch`. */
export interface ProgressStep {
  readonly partition: number;
  readonly epoch: number;
  readonly fromOffset: number;
  readonly nextOffset: number;
}

/** One atomic effect of the writer. */
export interface StoreCommit {
  readonly progress: readonly ProgressStep[];
  readonly runs: readonly MessageRun[];
  readonly sends: readonly SendRow[];
  /**
   * Rows to upsert by (conversation, user); joinSeq 0 keeps the stored one (a member leaves). A change that repeats
   * what stands moves nothing: who had left stays out from the first leave on, who was there keeps the first join.
   * Direct conversations get both users' rows with their first message.
   */
  readonly members: readonly MemberRow[];
}

/** Where a partition's owner starts. */
export interface Claim {
  readonly nextOffset: number;
  readonly epoch: number;
}

/** A conversation of a user's. */
export interface ConversationRow extends MemberRow {
  /** Newest committed seq of the conversation, 0 = none. */
  readonly headSeq: number;
}

/**
 * Messages, dedupe rows, members and the progress of the writers. Every method is atomic; reads see whole commits only.
 * A settled commit is visible to every read. An engine may make commits durable later, always whole and in order: after
 * a crash `claim` answers the last durable point, and the log replays the rest to the same rows. `claim` is durable when
 * it settles, and `close` makes everything so.
 * Rejects with UNAVAILABLE when closed, DISK_FULL when the disk is full (then nothing of the call took effect).
 */
export interface MessageStore {
  /** Raises the epoch of these partitions by one each and answers where to start (0 and epoch 1 when new). */
  claim(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>>;
  /**
   * All or nothing. STALE_OWNER when any step's (fromOffset, epoch) is not the stored one. Repeating a commit that
   * took effect therefore answers STALE_OWNER: the caller re-reads `progress`.
   */
  commit(batch: StoreCommit): Promise<void>;
  /** The progress rows of the partitions as stored; partitions never claimed are left out. */
  progress(partitions: readonly number[]): Promise<ReadonlyMap<number, Claim>>;
  /** Newest committed seq of each conversation, 0 when it has none, in the order asked. */
  heads(conversationIds: readonly Uint8Array[]): Promise<readonly number[]>;
  /** Conversations with a message, in order of id, from `conversationId` on; at most `limit`. */
  conversationsFrom(conversationId: Uint8Array, limit: number): Promise<readonly Uint8Array[]>;
  /** The settled row of each key, undefined when there is none, in the order asked. */
  findSends(keys: readonly SendKey[]): Promise<readonly (SendRow | undefined)[]>;
  /** Client message ids of all send rows whose id time is at or after `idTimeMs`, for filling a filter; pages of 16-byte ids. */
  sendIdsSince(idTimeMs: number): AsyncIterable<Uint8Array>;
  /**
   * Runs that cover [fromSeq, toSeq], in order, cut to whole messages inside the range, at most `maxMessages` and
   * about `maxBytes` (at least one message). `fromEnd` keeps the newest instead of the oldest when it must cut.
   * Gaps are not filled: the caller checks contiguity.
   */
  readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    options: { maxMessages: number; maxBytes: number; fromEnd?: boolean },
  ): Promise<readonly MessageRun[]>;
  /** Every row of the conversation, past members included, in order of user id. */
  members(conversationId: Uint8Array): Promise<readonly MemberRow[]>;
  /** A user's conversations in order of id, after `afterConversationId` when given; past ones included. */
  conversationsOf(
    userId: bigint,
    options: { limit: number; afterConversationId?: Uint8Array },
  ): Promise<readonly ConversationRow[]>;
  /** Deletes dedupe rows whose id time is before `idTimeMs`; answers how many. */
  expireSends(idTimeMs: number): Promise<number>;
  close(): Promise<void>;
}
