/**
 * Topics of the log: messages; events on their way to devices; changes of accounts, sessions and profiles; what MsgWriter
 * could not read, for operators.
 */
export type Topic = "messages" | "push" | "changes" | "dead-letter";

/** One durable record. */
export interface LogEntry {
  /** Place in the partition: 0, 1, 2 ... with no hole. */
  readonly offset: number;
  /** When the log took it, Unix milliseconds; the same on every read. */
  readonly timeMs: number;
  readonly payload: Uint8Array;
}

/** Consecutive records of one partition. */
export interface PartitionBatch {
  readonly partition: number;
  readonly entries: readonly LogEntry[];
}

/** What append answers with. */
export interface Appended {
  readonly offset: number;
  readonly timeMs: number;
}

/**
 * The reader's side. The log calls one method at a time for a subscription and awaits it; that is the back-pressure.
 */
export interface LogConsumer {
  /**
   * These partitions are ours now. Answers where to start for each; a partition left out starts at the group's
   * committed offset, or at 0. An offset below the oldest kept record rejects the subscription with CORRUPT: records
   * are never skipped.
   */
  assigned(partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /**
   * Durable records, in order within each partition, without a gap from the offset that `assigned` named. A rejection
   * means "abandoned": the log calls `revoked`, waits a backoff, and assigns again.
   */
  records(batches: readonly PartitionBatch[]): Promise<void>;
  /** These partitions are no longer ours; uncommitted work is to be abandoned. */
  revoked(partitions: readonly number[]): Promise<void>;
}

/** A running subscription. */
export interface LogSubscription {
  /** Remembers where each partition's reader may start next time. A hint: lazily durable, may be lost in a crash. */
  commit(offsets: ReadonlyMap<number, number>): void;
  /** Durable records not handed to the consumer yet, over all its partitions. */
  lag(): number;
  /** Calls `revoked` and stops; waits for the call in hand. */
  close(): Promise<void>;
}

/**
 * A durable, partitioned, append-only log.
 *
 * - Order: appends to one partition get rising offsets in the order of the calls.
 * - Durable: append settles only after the record is on stable storage as far as the engine promises it
 *   (embedded: fdatasync; Kafka: acks=all). A record is read by subscribers only once it is durable.
 * - Failure: a rejected append is either not on the log or, for DEADLINE_EXCEEDED and INTERNAL, may be: repeat it and
 *   rely on ids. DISK_FULL and OVERLOADED mean certainly not stored.
 * - A record once readable never changes and is kept at least `retentionMs` and until every group has committed past it.
 */
export interface Log {
  /** Number of partitions of each topic, fixed for the life of the data. */
  readonly partitions: number;
  append(topic: Topic, partition: number, payload: Uint8Array): Promise<Appended>;
  /** Offset after the last durable record of the partition; 0 when empty. */
  end(topic: Topic, partition: number): Promise<number>;
  /**
   * Members of one group share the partitions of the topic; each partition has one owner in the group. An engine over
   * several processes (Kafka) may give the partitions of a member that is slow or gone to another one before `revoked`
   * has settled there: whoever commits elsewhere compares epochs.
   *
   * Without a group the reader is alone: it has all partitions, nothing of it is remembered, `commit` does nothing and
   * no record is kept for it. An offset that is not kept any more, or none, starts it at the oldest record that is.
   */
  subscribe(topic: Topic, group: string | undefined, consumer: LogConsumer): Promise<LogSubscription>;
  /** Settles appends in hand, then stops. Idempotent. */
  close(): Promise<void>;
}
