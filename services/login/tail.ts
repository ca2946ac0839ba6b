/** A conversation with the highest seq pushed and not acknowledged. */
export interface UnackedTail {
  readonly conversationKey: string;
  readonly seq: number;
}

interface TailEntry {
  seq: number;
  /** When the hint is due, on the wheel's clock; infinite = given for this seq or an earlier one. */
  dueMs: number;
}

/** What one connection has been pushed and has not acknowledged: highest seq of each conversation. */
export class Tail {
  readonly #entries = new Map<string, TailEntry>();
  readonly #maxConversations: number;
  readonly #hintMs: number;
  /** More conversations than the map holds; infinite = told, undefined = no. */
  #overflowDueMs: number | undefined;

  constructor(maxConversations: number, hintMs: number) {
    this.#maxConversations = maxConversations;
    this.#hintMs = hintMs;
  }

  /** A message was pushed. */
  raise(conversationKey: string, seq: number, nowMs: number): void {
    const entry = this.#entries.get(conversationKey);
    if (entry === undefined) {
      if (this.#entries.size < this.#maxConversations)
        this.#entries.set(conversationKey, { seq, dueMs: nowMs + this.#hintMs });
      else this.#overflowDueMs ??= nowMs + this.#hintMs;
      return;
    }
    if (seq <= entry.seq) return;
    entry.seq = seq;
    if (entry.dueMs === Number.POSITIVE_INFINITY) entry.dueMs = nowMs + this.#hintMs;
  }

  /**
   * The device has everything up to `seq`. Progress that is not yet the whole gives the rest new time. False = of this
   * conversation nothing was unacknowledged.
   */
  acknowledge(conversationKey: string, seq: number, nowMs: number): boolean {
    const entry = this.#entries.get(conversationKey);
    if (entry === undefined) return this.#overflowDueMs !== undefined;
    if (seq >= entry.seq) this.#entries.delete(conversationKey);
    else if (entry.dueMs !== Number.POSITIVE_INFINITY) entry.dueMs = nowMs + this.#hintMs;
    return true;
  }

  /** Conversations whose hint is due, each once per raise, and whether heads must be compared besides. */
  takeDue(nowMs: number): { readonly unacked: readonly UnackedTail[]; readonly compareHeads: boolean } {
    const unacked: UnackedTail[] = [];
    for (const [conversationKey, entry] of this.#entries) {
      if (entry.dueMs > nowMs) continue;
      entry.dueMs = Number.POSITIVE_INFINITY;
      unacked.push({ conversationKey, seq: entry.seq });
    }
    const compareHeads = this.#overflowDueMs !== undefined && this.#overflowDueMs <= nowMs;
    if (compareHeads) this.#overflowDueMs = Number.POSITIVE_INFINITY;
    return { unacked, compareHeads };
  }

  /** When the next hint is due, on the wheel's clock; infinite = none. */
  get nextDueMs(): number {
    let next = this.#overflowDueMs ?? Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) next = Math.min(next, entry.dueMs);
    return next;
  }

  /** Everything unacknowledged. */
  unacked(): UnackedTail[] {
    return Array.from(this.#entries, ([conversationKey, { seq }]) => ({ conversationKey, seq }));
  }

  /** Whether conversations are missing from `unacked`; asking means telling: the answer is false from then on. */
  takeOverflow(): boolean {
    const overflow = this.#overflowDueMs !== undefined;
    this.#overflowDueMs = undefined;
    return overflow;
  }

  /** Nothing is unacknowledged. */
  get isEmpty(): boolean {
    return this.#entries.size === 0 && this.#overflowDueMs === undefined;
  }
}
