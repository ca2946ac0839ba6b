import type { MessageRun } from "./message-store.ts";

/** How much a window keeps of one conversation. */
export interface HotWindowBounds {
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

/** How much of a range a read answers with. */
export interface RangeBounds {
  readonly maxMessages: number;
  /** About so many; at least one message is answered. */
  readonly maxBytes: number;
  /** Keeps the newest instead of the oldest when it must cut. @default false */
  readonly fromEnd?: boolean;
}

/**
 * The newest messages of conversations, to be read without the store. A projection: it may forget anything at any time
 * and is never asked what the newest seq is. What it holds of a conversation is contiguous, [lo, hi] without a gap.
 *
 * - Append is atomic per run and repeats harmlessly. A run that begins at hi + 1 is added; of one that overlaps only
 *   what is after hi counts; one that ends at or before hi changes nothing; a conversation it does not hold, or a run
 *   that begins after hi + 1, starts anew with this run alone. Runs of one call are taken in order.
 * - Old messages go by age, by number and by bytes, from lo upwards, when something is added, and all of a conversation
 *   at once when nothing was added for that age. Ages count from when the window took a message. They may go some at a
 *   time; the newest message stays whatever its size.
 * - It may hold messages that are not committed (yet): a reader clamps to the committed head.
 * - Rejects with UNAVAILABLE when the engine does not answer in time: then any part of the call may have taken effect.
 */
export interface HotWindow {
  append(runs: readonly MessageRun[]): Promise<void>;
  /**
   * Contiguous runs of the part of [fromSeq, toSeq] that it holds, in order, cut to whole messages and to the bounds;
   * empty when it holds nothing of it. The caller sees from firstSeq and count what is missing before and after.
   */
  readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    bounds: RangeBounds,
  ): Promise<readonly MessageRun[]>;
  close(): Promise<void>;
}
