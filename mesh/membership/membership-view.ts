import { BoundedMap } from "../auth/bounded-map.ts";
import type { MembershipChange } from "../codec/push-record.ts";
import { conversationKey, directUsers, isGroupId } from "../ids/conversation-id.ts";
import { limits } from "../limits.ts";
import type { MemberRow, MessageStore } from "../ports/message-store.ts";

/** The members of one conversation, past ones included, as known at one moment. */
export interface MembershipView {
  isMember(userId: bigint): boolean;
  /** The row of a present or past member. */
  member(userId: bigint): MemberRow | undefined;
  /** The users who may read the message with this seq. */
  readersAt(seq: number): readonly bigint[];
  /** Rows, past members included. */
  readonly size: number;
}

/** What createMembershipViews needs. */
export interface MembershipViewsOptions {
  readonly store: Pick<MessageStore, "members">;
  /** @default limits.maxMembershipViews */
  readonly maxViews?: number;
  /** @default limits.membershipViewMaxAgeMs */
  readonly maxAgeMs?: number;
  /** Monotonic milliseconds: a clock set back must not keep a removed member in. @default performance.now */
  readonly now?: () => number;
}

/** Members by conversation, cached for a short while. */
export interface MembershipViews {
  /** A view young enough, at once; undefined when there is none. */
  get(conversationId: Uint8Array): MembershipView | undefined;
  /** Reads the view, or shares a read in hand. Rejects as MessageStore.members does. */
  load(conversationId: Uint8Array): Promise<MembershipView>;
  /** A user's row, read from the store before it says that the user is not a member, or not any more. */
  memberOf(conversationId: Uint8Array, userId: bigint): Promise<MemberRow | undefined>;
  /**
   * A user's row as it was when `headSeq` was committed, or later: a head that is read first, and a row so, let nobody
   * read on after leaving. Reads the store only when the head has moved; calls that wait for the same head share a read.
   */
  memberAt(conversationId: Uint8Array, userId: bigint, headSeq: number): Promise<MemberRow | undefined>;
  /** The next `load` reads the store. */
  invalidate(conversationId: Uint8Array): void;
  /** Applies changes sequenced at `seq`, which the store may not show yet. Older changes than those known are ignored. */
  apply(conversationId: Uint8Array, seq: number, changes: readonly MembershipChange[]): Promise<void>;
}

class View implements MembershipView {
  readonly rows: ReadonlyMap<bigint, MemberRow>;
  readonly loadedMs: number;
  /** Every change up to here is in the rows. */
  readonly changedSeq: number;
  /** The rows were read when this was committed. */
  readonly headSeq: number;
  #present: readonly bigint[] | undefined;

  constructor(rows: ReadonlyMap<bigint, MemberRow>, loadedMs: number, headSeq = 0) {
    this.rows = rows;
    this.loadedMs = loadedMs;
    this.headSeq = headSeq;
    let changedSeq = 0;
    for (const row of rows.values()) changedSeq = Math.max(changedSeq, row.joinSeq, row.leaveSeq);
    this.changedSeq = changedSeq;
  }

  get size(): number {
    return this.rows.size;
  }

  isMember(userId: bigint): boolean {
    return this.rows.get(userId)?.leaveSeq === 0;
  }

  member(userId: bigint): MemberRow | undefined {
    return this.rows.get(userId);
  }

  readersAt(seq: number): readonly bigint[] {
    if (seq >= this.changedSeq) {
      this.#present ??= [...this.rows.values()].filter((row) => row.leaveSeq === 0).map((row) => row.userId);
      return this.#present;
    }
    const mayRead = (row: MemberRow): boolean => row.joinSeq <= seq && (row.leaveSeq === 0 || seq < row.leaveSeq);
    return [...this.rows.values()].filter(mayRead).map((row) => row.userId);
  }
}

function directView(conversationId: Uint8Array): View {
  const rows = directUsers(conversationId).map(
    (userId) => [userId, { conversationId, userId, role: 1, joinSeq: 1, leaveSeq: 0 }] as const,
  );
  return new View(new Map(rows), Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
}

/** The row after a change; a change that the row already shows leaves it as it is. */
function changedRow(
  conversationId: Uint8Array,
  old: MemberRow | undefined,
  seq: number,
  change: MembershipChange,
): MemberRow {
  const { userId, joined, role } = change;
  if (old !== undefined && Math.max(old.joinSeq, old.leaveSeq) >= seq) return old;
  if (joined) {
    const joinSeq = old !== undefined && old.leaveSeq === 0 ? old.joinSeq : seq;
    return { conversationId, userId, role, joinSeq, leaveSeq: 0 };
  }
  if (old !== undefined && old.leaveSeq > 0) return old;
  return { conversationId, userId, role: 0, joinSeq: old?.joinSeq ?? seq, leaveSeq: seq };
}

class Cache implements MembershipViews {
  readonly #store: MembershipViewsOptions["store"];
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  readonly #views: BoundedMap<string, View>;
  readonly #loading = new Map<string, Promise<View>>();
  /** The last read for memberAt of a conversation, and the head that it is for. */
  readonly #readingAt = new Map<string, { readonly headSeq: number; readonly view: Promise<View> }>();

  constructor(options: MembershipViewsOptions) {
    this.#store = options.store;
    this.#maxAgeMs = options.maxAgeMs ?? limits.membershipViewMaxAgeMs;
    this.#now = options.now ?? (() => performance.now());
    this.#views = new BoundedMap(options.maxViews ?? limits.maxMembershipViews);
  }

  get(conversationId: Uint8Array): View | undefined {
    if (!isGroupId(conversationId)) return directView(conversationId);
    const view = this.#views.touch(conversationKey(conversationId));
    return view !== undefined && this.#now() - view.loadedMs <= this.#maxAgeMs ? view : undefined;
  }

  load(conversationId: Uint8Array): Promise<View> {
    if (!isGroupId(conversationId)) return Promise.resolve(directView(conversationId));
    const key = conversationKey(conversationId);
    const inHand = this.#loading.get(key);
    if (inHand !== undefined) return inHand;
    const started = this.#read(conversationId, key).finally(() => {
      if (this.#loading.get(key) === started) this.#loading.delete(key);
    });
    this.#loading.set(key, started);
    return started;
  }

  async memberOf(conversationId: Uint8Array, userId: bigint): Promise<MemberRow | undefined> {
    const known = this.get(conversationId);
    if (known?.isMember(userId)) return known.member(userId);
    this.invalidate(conversationId);
    return (await this.load(conversationId)).member(userId);
  }

  async memberAt(conversationId: Uint8Array, userId: bigint, headSeq: number): Promise<MemberRow | undefined> {
    const known = this.get(conversationId);
    if (known !== undefined && known.headSeq >= headSeq) return known.member(userId);
    const key = conversationKey(conversationId);
    const inHand = this.#readingAt.get(key);
    if (inHand !== undefined && inHand.headSeq >= headSeq) return (await inHand.view).member(userId);
    const view = this.#read(conversationId, key, headSeq).finally(() => {
      if (this.#readingAt.get(key)?.view === view) this.#readingAt.delete(key);
    });
    this.#readingAt.set(key, { headSeq, view });
    return (await view).member(userId);
  }

  invalidate(conversationId: Uint8Array): void {
    const key = conversationKey(conversationId);
    this.#loading.delete(key);
    const view = this.#views.get(key);
    if (view !== undefined) this.#views.set(key, new View(view.rows, Number.NEGATIVE_INFINITY));
  }

  async apply(conversationId: Uint8Array, seq: number, changes: readonly MembershipChange[]): Promise<void> {
    if (!isGroupId(conversationId)) return;
    const view = await this.load(conversationId);
    const rows = new Map(view.rows);
    for (const change of changes)
      rows.set(change.userId, changedRow(conversationId, rows.get(change.userId), seq, change));
    this.#views.set(conversationKey(conversationId), new View(rows, view.loadedMs, view.headSeq));
  }

  async #read(conversationId: Uint8Array, key: string, headSeq = 0): Promise<View> {
    const loadedMs = this.#now();
    const rows = new Map((await this.#store.members(conversationId)).map((row) => [row.userId, row]));
    // The push side may have shown a change that the store did not have when it was read.
    for (const known of this.#views.get(key)?.rows.values() ?? []) {
      const stored = rows.get(known.userId);
      const storedSeq = stored === undefined ? 0 : Math.max(stored.joinSeq, stored.leaveSeq);
      if (Math.max(known.joinSeq, known.leaveSeq) > storedSeq) rows.set(known.userId, known);
    }
    const view = new View(rows, loadedMs, headSeq);
    this.#views.set(key, view);
    return view;
  }
}

/** Makes an empty cache over a store. */
export function createMembershipViews(options: MembershipViewsOptions): MembershipViews {
  return new Cache(options);
}
