/** Bounds of changes other than messages. A part of mesh/limits.ts. */
export const changeLimits = {
  /** Outbox: looked at so often, rows of one look. */
  outboxPollMs: 500,
  maxOutboxRows: 256,
  /** Aggregates whose newest version a reader of changes remembers; conversations told of a profile; events of one call. */
  maxSeenAggregates: 50_000,
  maxProfileConversations: 1_000,
  maxPublishedEvents: 256,
} as const;
