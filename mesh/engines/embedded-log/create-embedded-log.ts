import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Appended, Log, LogConsumer, LogSubscription, Topic } from "../../ports/log.ts";
import { topics } from "./committed-offsets.ts";
import { ConsumerGroup } from "./consumer-group.ts";
import { GroupMember } from "./group-member.ts";
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
  /** Fixed for the life of the directory. @default 16 */
  readonly partitions?: number;
  /** A segment is closed at this size. @default 64 MiB */
  readonly segmentBytes?: number;
  /** Records are kept at least so long. @default 7 days */
  readonly retentionMs?: number;
  /** Appends are refused with DISK_FULL when less would be free. @default 64 MiB */
  readonly minFreeBytes?: number;
  /** Free space is looked at so often. @default 500 */
  readonly diskCheckMs?: number;
  /** Appends waiting, in all. @default limits.maxLogQueueBytes */
  readonly maxQueueBytes?: number;
  /** Newest groups kept in memory for readers. @default 16 MiB */
  readonly tailBytes?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** @default the real file system */
  readonly files?: JournalFiles;
  readonly report?: (report: LogReport) => void;
  /** The log has failed for good; the process should stop. */
  readonly onFailed?: (error: ChappeError) => void;
}

const mebibyte = 1024 * 1024;
const readBounds: ReadBounds = { maxBatchRecords: 512, maxBatchBytes: 2 * mebibyte, readChunkBytes: mebibyte };
const backoff = { firstMs: 20, maxMs: 2_000 };
/** Committed offsets are in the journal after at most so long. */
const offsetsDelayMs = 500;

class EmbeddedLog implements Log {
  readonly #journal: Journal;
  readonly #writer: JournalWriter;
  readonly #retentionMs: number;
  readonly #groups = new Map<string, ConsumerGroup>();
  #offsetsTimer: NodeJS.Timeout | undefined;
  #retaining: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(journal: Journal, options: EmbeddedLogOptions) {
    this.#journal = journal;
    this.#retentionMs = options.retentionMs ?? 7 * 86_400_000;
    this.#writer = new JournalWriter(journal, {
      segmentBytes: options.segmentBytes ?? 64 * mebibyte,
      maxQueueBytes: options.maxQueueBytes ?? limits.maxLogQueueBytes,
      maxGroupBytes: 4 * mebibyte,
      minFreeBytes: options.minFreeBytes ?? 64 * mebibyte,
      diskCheckMs: options.diskCheckMs ?? 500,
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
    if (payload.byteLength > limits.maxRecordBytes) {
      return Promise.reject(new ChappeError("INVALID_ARGUMENT", `a record is over ${limits.maxRecordBytes} bytes`));
    }
    return this.#writer.append(topics.indexOf(topic), partition, payload);
  }

  async end(topic: Topic, partition: number): Promise<number> {
    return this.#journal.ends[topics.indexOf(topic) * this.partitions + partition]!;
  }

  async subscribe(topic: Topic, group: string, consumer: LogConsumer): Promise<LogSubscription> {
    if (this.#closed !== undefined) throw new ChappeError("UNAVAILABLE", "the log is closed");
    const shared = this.#group(topic, group);
    const reader = new PartitionReader(this.#journal, topics.indexOf(topic), readBounds);
    const events = {
      onRejected: (error: unknown) => this.#journal.report({ kind: "redelivery", topic, group, error }),
      onLost: (error: ChappeError) => this.#journal.report({ kind: "subscription-failed", topic, group, error }),
    };
    const member = new GroupMember(shared, consumer, reader, { backoff, events });
    shared.join(member);
    await member.start();
    return {
      commit: (offsets) => member.commit(offsets),
      lag: () => member.lag(),
      close: () => member.close(),
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
    await this.#writer.flush().catch(() => undefined);
    await this.#writer.idle();
    await this.#retaining;
    await this.#journal.active.close();
  }

  #group(topic: Topic, name: string): ConsumerGroup {
    const key = `${topic}/${name}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = new ConsumerGroup(this.#journal, topics.indexOf(topic), name, () => this.#noteOffsets());
      this.#groups.set(key, group);
    }
    return group;
  }

  #noteOffsets(): void {
    this.#offsetsTimer ??= setTimeout(() => {
      this.#offsetsTimer = undefined;
      this.#writer.writeOffsets();
    }, offsetsDelayMs);
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

/** Opens or makes the log of a directory. CORRUPT names the file and byte of damage that is no torn tail. */
export async function createEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  const { directory, files = createJournalFiles(), partitions = 16 } = options;
  await files.makeDirectory(directory);
  const { salt } = await openMeta(files, directory, partitions);
  const place = { directory, files, partitions, salt, indexIntervalBytes: 256 * 1024 };
  const report = options.report ?? (() => {});
  const ring = new TailRing(options.tailBytes ?? 16 * mebibyte);
  const journal = await openJournal({ ...place, now: options.now ?? Date.now, report }, ring);
  return new EmbeddedLog(journal, options);
}
