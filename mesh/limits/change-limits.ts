/** Bounds of changes other than messages, and of comparing the tiers. A part of mesh/limits.ts. */
export const changeLimits = {
  /** Outbox: looked at so often, rows of one look. */
  outboxPollMs: 500,
  maxOutboxRows: 256,
  /** Aggregates whose newest version a reader of changes remembers; conversations told of a profile; events of one call. */
  maxSeenAggregates: 50_000,
  maxProfileConversations: 1_000,
  maxPublishedEvents: 256,
  /** Reconciling: conversations of a run, newest messages of each, newest records of each partition, time to read those. */
  reconcileSample: 100,
  maxReconcileMessages: 2_000,
  maxReconcileRecords: 2_000,
  reconcileLogMs: 30_000,
  /** Reconciling: a difference is looked at again after so long; on shared engines it is done so often. */
  reconcileAgainMs: 1_000,
  reconcileIntervalMs: 3_600_000,
} as const;
