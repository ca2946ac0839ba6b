/** Bounds of the message history and of the archiver; a part of `limits`. */
export const historyLimits = Object.freeze({
  /** History: messages and bytes of one request to it; seqs of the first read of a range, and of any. */
  maxHistoryRequestMessages: 4_096,
  maxHistoryRequestBytes: 1024 * 1024,
  historyReadMessages: 64,
  maxHistoryReadMessages: 1_024,
  /** HBase: one call, one operation with its repetitions, the waits between them; regions of a table. */
  hbaseCallTimeoutMs: 3_000,
  hbaseTimeoutMs: 8_000,
  hbaseRetryMs: 50,
  hbaseRetryMaxMs: 500,
  maxHbaseRegions: 65_536,
  /** Archiver: runs of one page, reads and writes of the history at once. */
  maxArchivePageRuns: 256,
  maxArchiveCalls: 16,
  /** Archiver: how often it looks for closed days, and for the lead; where it stands is written down so often. */
  archiveCheckMs: 60_000,
  archiveSaveMs: 1_000,
  /** Archiver: first and longest pause after a failure; the sign of life of who leads. */
  archiveRetryMs: 500,
  archiveRetryMaxMs: 10_000,
  archiveHoldMs: 10_000,
  /** Archiver: one statement; letting go of a large day takes its time. */
  archiveStatementTimeoutMs: 120_000,
  /** Archiver: days in MySQL and grace between copy and verification, unless settings say otherwise; least of the days. */
  archiveAfterDays: 30,
  archiveGraceMs: 7_200_000,
  minArchiveAfterDays: 2,
});
