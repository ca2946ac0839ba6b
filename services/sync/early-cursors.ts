import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { CursorEntry } from "./cursor-map.ts";

/** Cursors for messages that were pushed, and seen, before their commit. */
export interface EarlyCursors {
  /** Keeps a cursor that is beyond the committed head until the head gets there. Dropped when too many wait. */
  add(cursor: CursorEntry): void;
  /** Forgets what waits. */
  close(): Promise<void>;
}

/** What createEarlyCursors needs. */
export interface EarlyCursorsOptions {
  readonly store: Pick<MessageStore, "heads">;
  /** As much of a cursor as the head has reached. */
  readonly onReached: (cursor: CursorEntry) => void;
  /** @default limits.earlyCursorCheckMs */
  readonly checkMs?: number;
  /** How long a cursor waits for the head; then it is dropped. @default limits.earlyCursorMs */
  readonly maxAgeMs?: number;
  /** @default limits.maxPendingReceipts */
  readonly maxPending?: number;
}

/** The cursor, no further than the head. */
export function clampCursor(cursor: CursorEntry, head: number): CursorEntry {
  return {
    ...cursor,
    deliveredSeq: Math.min(cursor.deliveredSeq, head),
    readSeq: Math.min(cursor.readSeq, head),
  };
}

interface Waiting extends CursorEntry {
  looksLeft: number;
}

class Early implements EarlyCursors {
  readonly #options: EarlyCursorsOptions;
  readonly #checkMs: number;
  readonly #maxLooks: number;
  readonly #maxPending: number;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: EarlyCursorsOptions) {
    this.#options = options;
    this.#checkMs = options.checkMs ?? limits.earlyCursorCheckMs;
    this.#maxLooks = Math.ceil((options.maxAgeMs ?? limits.earlyCursorMs) / this.#checkMs);
    this.#maxPending = options.maxPending ?? limits.maxPendingReceipts;
  }

  add(cursor: CursorEntry): void {
    const key = cursor.conversation + cursor.userId;
    const old = this.#waiting.get(key);
    if (this.#closed || (old === undefined && this.#waiting.size >= this.#maxPending)) return;
    const deliveredSeq = Math.max(cursor.deliveredSeq, old?.deliveredSeq ?? 0);
    const readSeq = Math.max(cursor.readSeq, old?.readSeq ?? 0);
    this.#waiting.set(key, { ...cursor, deliveredSeq, readSeq, looksLeft: this.#maxLooks });
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#checking;
    this.#waiting.clear();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#checking = this.#check().finally(() => {
        this.#timer = undefined;
        if (this.#waiting.size > 0 && !this.#closed) this.#schedule();
      });
    }, this.#checkMs);
  }

  async #check(): Promise<void> {
    const conversations = [...new Set([...this.#waiting.values()].map(({ conversation }) => conversation))];
    const heads = await this.#options.store.heads(conversations.map(conversationIdOfKey)).catch(() => []);
    if (this.#closed) return;
    const headOf = new Map(heads.map((head, index) => [conversations[index]!, head]));
    for (const [key, cursor] of this.#waiting) {
      // Without a head the store did not answer, or the cursor came meanwhile: the next look tells.
      const head = headOf.get(cursor.conversation);
      if (head !== undefined) {
        const { conversation, userId, deliveredSeq, readSeq } = cursor;
        this.#options.onReached(clampCursor({ conversation, userId, deliveredSeq, readSeq }, head));
        if (Math.max(deliveredSeq, readSeq) <= head) this.#waiting.delete(key);
      }
      if (--cursor.looksLeft <= 0) this.#waiting.delete(key);
    }
  }
}

/** Nothing waits at first; there is no timer while idle. */
export function createEarlyCursors(options: EarlyCursorsOptions): EarlyCursors {
  return new Early(options);
}
