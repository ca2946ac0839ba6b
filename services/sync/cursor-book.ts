import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { BusinessStore, CursorRow } from "@chappe/mesh/ports/business-store.ts";

/** A cursor as it stands in memory. */
export interface CursorState {
  deliveredSeq: number;
  readSeq: number;
}

/** Cursors that rise in memory first and reach the store and the other members a little later. */
export interface CursorBook {
  /** Raises; answers nothing. Dropped when too many wait. */
  raise(conversation: string, userId: bigint, deliveredSeq: number, readSeq: number): void;
  /** What waits for the store, over what the store says. */
  overlay(conversation: string, rows: readonly CursorRow[]): CursorRow[];
  /** Writes what waits. */
  close(): Promise<void>;
}

/** Called with each batch of raised cursors, conversation by conversation. */
export type OnRaised = (conversation: string, users: ReadonlyMap<bigint, CursorState>) => void;

/** A book with nothing waiting; it has no timer while idle. */
export function createCursorBook(store: BusinessStore, onRaised: OnRaised): CursorBook {
  let waiting = new Map<string, Map<bigint, CursorState>>();
  let writing = new Map<string, Map<bigint, CursorState>>();
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();

  const rowsOf = (book: typeof waiting): CursorRow[] =>
    [...book].flatMap(([key, users]) => {
      const conversationId = conversationIdOfKey(key);
      return [...users].map(([userId, state]) => ({ conversationId, userId, ...state }));
    });

  const flush = async (): Promise<void> => {
    writing = waiting;
    waiting = new Map();
    count = 0;
    for (const [key, users] of writing) onRaised(key, users);
    // Cursors are lossy by contract: the next acknowledgement raises them again.
    await store.raiseCursors(rowsOf(writing)).catch(() => undefined);
    writing = new Map();
  };
  const flushNext = (): void => {
    timer = undefined;
    flushing = flushing.then(flush);
  };

  return {
    raise(conversation, userId, deliveredSeq, readSeq) {
      let users = waiting.get(conversation);
      if (users === undefined) {
        users = new Map();
        waiting.set(conversation, users);
      }
      const state = users.get(userId);
      if (state === undefined) {
        if (count >= limits.maxWaitingReceipts) return;
        count++;
        users.set(userId, { deliveredSeq, readSeq });
      } else {
        state.deliveredSeq = Math.max(state.deliveredSeq, deliveredSeq);
        state.readSeq = Math.max(state.readSeq, readSeq);
      }
      timer ??= setTimeout(flushNext, limits.receiptFlushMs);
    },
    overlay(conversation, rows) {
      const merged = new Map(rows.map((row) => [row.userId, row]));
      const conversationId = conversationIdOfKey(conversation);
      for (const book of [writing, waiting]) {
        for (const [userId, state] of book.get(conversation) ?? []) {
          const old = merged.get(userId) ?? { conversationId, userId, deliveredSeq: 0, readSeq: 0 };
          const deliveredSeq = Math.max(old.deliveredSeq, state.deliveredSeq);
          merged.set(userId, { ...old, deliveredSeq, readSeq: Math.max(old.readSeq, state.readSeq) });
        }
      }
      return [...merged.values()];
    },
    async close() {
      clearTimeout(timer);
      await flushing;
      await flush();
    },
  };
}
