import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Appended, Log, LogConsumer, LogSubscription, Topic } from "../../ports/log.ts";
import { topics } from "./committed-offsets.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { type Backoff, GroupMember } from "./group-member.ts";
import type { Journal, LogReport } from "./journal.ts";
import { createJournalFiles, type JournalFiles } from "./journal-files.ts";
import { JournalWriter } from "./journal-writer.ts";
import { openMeta } from "./meta-file.ts";
import { openJournal } from "./open-journal.ts";
import { PartitionReader, type ReadBounds } from "./partition-reader.ts";
import { applyRetention } from "./retention.ts";
import { TailRing } from "./tail-ring.ts";

/** Options of createEmbeddedLog. */
export interface EmbeddedLogOptions {
  /** Made when it is missing. The caller holds the lock of the data directory. */
  readonly directory: string;
  /** Fixed for the life of the directory. @default limits.logPartitions */
  readonly partitions?: number;
  /** A segment is closed at this size. @default limits.logSegmentBytes */
  readonly segmentBytes?: number;
  /** Records are kept at least so long. @default limits.logRetentionMs */
  readonly retentionMs?: number;
  /** Retention looks so often. @default limits.logRetentionCheckMs */
  readonly retentionCheckMs?: number;
  /** Appends are refused with DISK_FULL when less would be free. @default limits.logMinFreeBytes */
  readonly minFreeBytes?: number;
  /** Free space is looked at so often. @default limits.logDiskCheckMs */
  readonly diskCheckMs?: number;
  /** Appends waiting, in all. @default limits.maxLogQueueBytes */
  readonly maxQueueBytes?: number;
  /** Most bytes of one write and one sync. @default limits.maxLogGroupBytes */
  readonly maxGroupBytes?: number;
  /** Newest groups kept in memory for readers. @default limits.logTailBytes */
  readonly tailBytes?: number;
  /** Distance of the entries of the sparse index. @default limits.logIndexIntervalBytes */
  readonly indexIntervalBytes?: number;
  /** Records of one consumer call. @default limits.maxLogBatchRecords */
  readonly maxBatchRecords?: number;
  /** Payload bytes of one consumer call; one larger record still goes alone. @default limits.maxLogBatchBytes */
  readonly maxBatchBytes?: number;
  /** Waits between redeliveries double up to this. @default limits.maxLogRedeliveryMs */
  readonly maxRedeliveryMs?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** @default the real file system */
  readonly files?: JournalFiles;
  readonly report?: (report: LogReport) => void;
  /** The log has failed for good; the process should stop. */
  readonly onFailed?: (error: ChappeError) => void;
}

function invalid(field: string, rule: string, message: string): ChappeError {
  return new ChappeError("INVALID_ARGUMENT", message, { violations: [{ field, rule, message }] });
}

class EmbeddedLog implements Log {
  readonly #journal: Journal;
  readonly #writer: JournalWriter;
  readonly #retentionMs: number;
  readonly #retentionTimer: NodeJS.Timeout;
  readonly #readBounds: ReadBounds;
  readonly #backoff: Backoff;
  readonly #groups = new Map<string, ConsumerGroup>();
  #alone = 0;
  #offsetsTimer: NodeJS.Timeout | undefined;
  #retaining: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(journal: Journal, options: EmbeddedLogOptions) {
    this.#journal = journal;
    this.#retentionMs = options.retentionMs ?? limits.logRetentionMs;
    this.#retentionTimer = setInterval(() => this.#retain(), options.retentionCheckMs ?? limits.logRetentionCheckMs);
    this.#retentionTimer.unref();
    this.#readBounds = {
      maxBatchRecords: options.maxBatchRecords ?? limits.maxLogBatchRecords,
      maxBatchBytes: options.maxBatchBytes ?? limits.maxLogBatchBytes,
      readChunkBytes: limits.logReadChunkBytes,
    };
    this.#backoff = { firstMs: limits.logRedeliveryMs, maxMs: options.maxRedeliveryMs ?? limits.maxLogRedeliveryMs };
    this.#writer = new JournalWriter(journal, {
      segmentBytes: options.segmentBytes ?? limits.logSegmentBytes,
      maxQueueBytes: options.maxQueueBytes ?? limits.maxLogQueueBytes,
      maxGroupBytes: options.maxGroupBytes ?? limits.maxLogGroupBytes,
      minFreeBytes: options.minFreeBytes ?? limits.logMinFreeBytes,
      diskCheckMs: options.diskCheckMs ?? limits.logDiskCheckMs,
      onDurable: () => this.#wake(),
      onSealed: () => this.#retain(),
      onFailed: options.onFailed ?? (() => {}),
    });
  }

  get partitions(): number {
    return this.#journal.partitions;
  }

  append(topic: Topic, partition: number, payload: Uint8Array): Promise<Appended> {
    if (this.#closed !== undefined) return Promise.reject(new ChappeError("UNAVAILABLE", "the log is closed"));
    const wrong = this.#wrongPlace(topic, partition);
    if (wrong !== undefined) return Promise.reject(wrong);
    if (payload.byteLength > limits.maxRecordBytes) {
      return Promise.reject(invalid("payload", "max_bytes", `a record is over ${limits.maxRecordBytes} bytes`));
    }
    return this.#writer.append(topics.indexOf(topic), partition, payload);
  }

  async end(topic: Topic, partition: number): Promise<number> {
    const wrong = this.#wrongPlace(topic, partition);
    if (wrong !== undefined) throw wrong;
    return this.#journal.ends[topics.indexOf(topic) * this.partitions + partition]!;
  }

  async subscribe(topic: Topic, group: string | undefined, consumer: LogConsumer): Promise<LogSubscription> {
    if (this.#closed !== undefined) throw new ChappeError("UNAVAILABLE", "the log is closed");
    const wrong = this.#wrongPlace(topic, 0);
    if (wrong !== undefined) throw wrong;
    const name = group ?? `alone ${++this.#alone}`;
    const shared = this.#group(topic, group, name);
    const reader = new PartitionReader(this.#journal, topics.indexOf(topic), this.#readBounds);
    const events = {
      onRejected: (error: unknown) => this.#journal.report({ kind: "redelivery", topic, group: name, error }),
      onLost: (error: ChappeError) => this.#journal.report({ kind: "subscription-failed", topic, group: name, error }),
    };
    const member = new GroupMember(shared, consumer, reader, { backoff: this.#backoff, events });
    shared.join(member);
    await member.start();
    return {
      commit: (offsets) => member.commit(offsets),
      lag: () => member.lag(),
      close: async () => {
        await member.close();
        if (group === undefined) this.#groups.delete(`${topic}/${name}`);
      },
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const members = [...this.#groups.values()].flatMap((group) => [...group.members]);
    await Promise.all(members.map((member) => member.close()));
    clearTimeout(this.#offsetsTimer);
    clearInterval(this.#retentionTimer);
    await this.#retaining;
    await this.#writer.idle();
    // A last, empty group calls everything before it synced: damage to it is then told from a torn tail.
    await this.#writer.flush().catch(() => undefined);
    await this.#writer.idle();
    await this.#journal.active.close();
  }

  #wrongPlace(topic: Topic, partition: number): ChappeError | undefined {
    if (!topics.includes(topic)) return invalid("topic", "in", `${topic} is not a topic`);
    if (Number.isInteger(partition) && partition >= 0 && partition < this.partitions) return undefined;
    return invalid("partition", "range", `partition ${partition} is not one of the ${this.partitions}`);
  }

  #group(topic: Topic, group: string | undefined, name: string): ConsumerGroup {
    const key = `${topic}/${name}`;
    let found = this.#groups.get(key);
    if (found === undefined) {
      found = new ConsumerGroup(this.#journal, topics.indexOf(topic), group, () => this.#noteOffsets());
      this.#groups.set(key, found);
    }
    return found;
  }

  #noteOffsets(): void {
    this.#offsetsTimer ??= setTimeout(() => {
      this.#offsetsTimer = undefined;
      this.#writer.writeOffsets();
    }, limits.logOffsetsDelayMs);
  }

  #wake(): void {
    for (const group of this.#groups.values()) group.wakeAll();
  }

  #retain(): void {
    const flush = (): Promise<void> => this.#writer.flush();
    const run = async (): Promise<void> => {
      try {
        // Not before the writer's turn is over: the flush waits for the writer.
        await Promise.resolve();
        await applyRetention(this.#journal, this.#retentionMs, flush);
      } catch (error) {
        this.#journal.report({ kind: "upkeep-failed", path: this.#journal.directory, error });
      }
    };
    this.#retaining ??= run().finally(() => {
      this.#retaining = undefined;
    });
  }
}

/** A record holds its partition in 16 bits. */
const maxPartitions = 65_535;

/**
 * Opens or makes the log of a directory. CORRUPT names the file and byte of damage that is no torn tail;
 * INVALID_ARGUMENT refuses another number of partitions than the directory was made with.
 *
 * `append` keeps the payload by reference: it must not change before the append settles. Payloads that consumers get
 * are views into buffers that are never written again; whoever keeps one keeps its whole group in memory.
 */
export async function createEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  const { directory, files = createJournalFiles(), partitions = limits.logPartitions } = options;
  const { indexIntervalBytes = limits.logIndexIntervalBytes } = options;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > maxPartitions) {
    throw invalid("partitions", "range", `the number of partitions must be 1 to ${maxPartitions}`);
  }
  await files.makeDirectory(directory);
  const { salt } = await openMeta(files, directory, partitions);
  const place = { directory, files, partitions, salt, indexIntervalBytes };
  const report = options.report ?? (() => {});
  const ring = new TailRing(options.tailBytes ?? limits.logTailBytes);
  const journal = await openJournal({ ...place, now: options.now ?? Date.now, report }, ring);
  return new EmbeddedLog(journal, options);
}
