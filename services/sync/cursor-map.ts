/** How far one user has got in one conversation. */
export interface CursorState {
  readonly deliveredSeq: number;
  readonly readSeq: number;
}

/** A cursor with its place. */
export interface CursorEntry extends CursorState {
  /** conversationKey of the conversation. */
  readonly conversation: string;
  readonly userId: bigint;
}

const nobody: ReadonlyMap<bigint, CursorState> = new Map();

/** The highest cursors by conversation and user. */
export class CursorMap {
  readonly #conversations = new Map<string, Map<bigint, CursorState>>();
  #size = 0;

  /** Cursors in all. */
  get size(): number {
    return this.#size;
  }

  get(conversation: string, userId: bigint): CursorState | undefined {
    return this.#conversations.get(conversation)?.get(userId);
  }

  usersOf(conversation: string): ReadonlyMap<bigint, CursorState> {
    return this.#conversations.get(conversation) ?? nobody;
  }

  /** Raises each position by itself. */
  raise(conversation: string, userId: bigint, deliveredSeq: number, readSeq: number): void {
    let users = this.#conversations.get(conversation);
    if (users === undefined) {
      users = new Map();
      this.#conversations.set(conversation, users);
    }
    const old = users.get(userId);
    if (old === undefined) this.#size++;
    users.set(userId, {
      deliveredSeq: Math.max(deliveredSeq, old?.deliveredSeq ?? 0),
      readSeq: Math.max(readSeq, old?.readSeq ?? 0),
    });
  }

  /** Moves at most so many cursors, the oldest conversations first, into a map of their own. */
  take(most: number): CursorMap {
    const taken = new CursorMap();
    for (const [conversation, users] of this.#conversations) {
      for (const [userId, { deliveredSeq, readSeq }] of users) {
        if (taken.size >= most) return taken;
        taken.raise(conversation, userId, deliveredSeq, readSeq);
        users.delete(userId);
        this.#size--;
      }
      this.#conversations.delete(conversation);
    }
    return taken;
  }

  entries(): CursorEntry[] {
    const entries: CursorEntry[] = [];
    for (const [conversation, users] of this.#conversations)
      for (const [userId, state] of users) entries.push({ conversation, userId, ...state });
    return entries;
  }
}
