import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import { CursorMap, type CursorState } from "./cursor-map.ts";

/** Bounds of a cursor book; limits.* unless given. */
export interface CursorBookOptions {
  readonly flushMs?: number;
  readonly maxDirty?: number;
  readonly maxRowsPerWrite?: number;
}

/** Cursors that rise in memory first and reach the store a little later. */
export interface CursorBook {
  /** Raises; answers whether it rose over what waits. OVERLOADED when too many wait, as while the store fails. */
  raise(conversation: string, userId: bigint, deliveredSeq: number, readSeq: number): boolean;
  /** What waits for the store of one user. */
  waiting(conversation: string, userId: bigint): CursorState | undefined;
  /** What waits for the store of one conversation, by user. Taken before the store is read, it misses nothing. */
  waitingOf(conversation: string): ReadonlyMap<bigint, CursorState>;
  /** Writes what waits; what the store does not take then is lost. */
  close(): Promise<void>;
}

class Book implements CursorBook {
  readonly #store: Pick<BusinessStore, "raiseCursors">;
  readonly #flushMs: number;
  readonly #maxDirty: number;
  readonly #maxRows: number;
  readonly #dirty = new CursorMap();
  #writing = new CursorMap();
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(store: Pick<BusinessStore, "raiseCursors">, options: CursorBookOptions) {
    this.#store = store;
    this.#flushMs = options.flushMs ?? limits.cursorFlushMs;
    this.#maxDirty = options.maxDirty ?? limits.maxDirtyCursors;
    this.#maxRows = options.maxRowsPerWrite ?? limits.maxCursorRowsPerWrite;
  }

  raise(conversation: string, userId: bigint, deliveredSeq: number, readSeq: number): boolean {
    const before = this.waiting(conversation, userId);
    if (before !== undefined && before.deliveredSeq >= deliveredSeq && before.readSeq >= readSeq) return false;
    const isNew = this.#dirty.get(conversation, userId) === undefined;
    if (isNew && this.#dirty.size + this.#writing.size >= this.#maxDirty) {
      throw new ChappeError("OVERLOADED", "too many cursors wait for the store", { retryAfterMs: this.#flushMs });
    }
    this.#dirty.raise(conversation, userId, deliveredSeq, readSeq);
    this.#schedule();
    return true;
  }

  waiting(conversation: string, userId: bigint): CursorState | undefined {
    const dirty = this.#dirty.get(conversation, userId);
    const writing = this.#writing.get(conversation, userId);
    if (dirty === undefined || writing === undefined) return dirty ?? writing;
    return {
      deliveredSeq: Math.max(dirty.deliveredSeq, writing.deliveredSeq),
      readSeq: Math.max(dirty.readSeq, writing.readSeq),
    };
  }

  waitingOf(conversation: string): ReadonlyMap<bigint, CursorState> {
    const users = new Map(this.#writing.usersOf(conversation));
    for (const userId of this.#dirty.usersOf(conversation).keys())
      users.set(userId, this.waiting(conversation, userId)!);
    return users;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#flushing;
    await this.#flush();
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flushing = this.#flushing.then(() => this.#flush());
    }, this.#flushMs);
  }

  /** Writes until nothing waits or the store fails; what it did not take waits on, with what has come since. */
  async #flush(): Promise<void> {
    while (this.#dirty.size > 0) {
      this.#writing = this.#dirty.take(this.#maxRows);
      const rows = this.#writing.entries().map(({ conversation, ...rest }) => ({
        conversationId: conversationIdOfKey(conversation),
        ...rest,
      }));
      try {
        await this.#store.raiseCursors(rows);
        this.#writing = new CursorMap();
      } catch {
        for (const { conversation, userId, deliveredSeq, readSeq } of this.#writing.entries())
          this.#dirty.raise(conversation, userId, deliveredSeq, readSeq);
        this.#writing = new CursorMap();
        this.#schedule();
        return;
      }
    }
  }
}

/** A book with nothing waiting; it has no timer while idle. */
export function createCursorBook(
  store: Pick<BusinessStore, "raiseCursors">,
  options: CursorBookOptions = {},
): CursorBook {
  return new Book(store, options);
}
