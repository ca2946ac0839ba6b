/** Bounds of the hot window and of reading over the tiers. A part of mesh/limits.ts. */
export const hotWindowLimits = {
  /** Of one conversation: messages, bytes, age. */
  hotWindowMessages: 500,
  hotWindowBytes: 256 * 1024,
  hotWindowMs: 7 * 86_400_000,
  /** What a window keeps together; up to so much is put to what came before; it is let go in so many parts at least. */
  hotWindowBlockBytes: 16 * 1024,
  hotWindowMergeBytes: 2 * 1024,
  hotWindowParts: 8,
  /** Time of one call to the engine; bytes of a window in memory, all conversations together. */
  hotWindowTimeoutMs: 500,
  maxMemoryWindowBytes: 64 * 1024 * 1024,
  /** Appends of one process without an answer; beyond that they are dropped. */
  maxWindowAppends: 64,
  maxWindowAppendBytes: 8 * 1024 * 1024,
  /** After a failure a window is left alone for so long at first, doubled up to the longest. */
  windowPauseMs: 100,
  maxWindowPauseMs: 5_000,
  /** Ranges of one ListRanges call that are read at once. */
  maxRangesAtOnce: 8,
  /** Reads of MsgReader that equal ones may wait for. */
  maxSharedReads: 4_096,
} as const;
