import type { RangeBounds } from "./hot-window.ts";
import type { MessageRun } from "./message-store.ts";

/** Messages of a conversation share a row by seq div this. */
export const historyBlockMessages = 256;

/**
 * Messages of closed days, for good. A row holds up to `historyBlockMessages` messages of one conversation under a key
 * that is computed from (conversation, seq div historyBlockMessages), one cell a message, so every read is by key and
 * nothing is ever scanned.
 *
 * - `put` repeats harmlessly: the same message at the same seq is the same cell. It is not atomic over its runs. When it
 *   settles, the engine has taken the cells as durably as it promises; HBase may still lose them with its write-ahead
 *   log, so whoever drops the source verifies them after a grace first.
 * - `readRange` answers what is there; gaps are not filled, the caller checks contiguity. All runs or an error: never a
 *   part because some server did not answer.
 * - Rejects with UNAVAILABLE when the engine does not answer in time.
 */
export interface MessageHistory {
  put(runs: readonly MessageRun[]): Promise<void>;
  /** Runs of the part of [fromSeq, toSeq] that it has, in order, cut to whole messages and to the bounds. */
  readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    bounds: RangeBounds,
  ): Promise<readonly MessageRun[]>;
  close(): Promise<void>;
}
