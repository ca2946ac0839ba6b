import { ChappeError } from "../../errors/chappe-error.ts";
import type { Appended } from "../../ports/log.ts";
import { AppendQueue, type PendingAppend } from "./append-queue.ts";
import { DiskSpace, diskFull, isNoSpace } from "./disk-space.ts";
import type { Journal } from "./journal.ts";
import { createSegment } from "./open-journal.ts";
import { encodeGroup, type FramedRecord, type Group, stateKind } from "./record-format.ts";
import { encodeSegmentIndex } from "./segment-index.ts";

/** What the writer needs besides the journal. */
export interface WriterOptions {
  readonly segmentBytes: number;
  readonly maxQueueBytes: number;
  readonly maxGroupBytes: number;
  readonly minFreeBytes: number;
  readonly diskCheckMs: number;
  /** Called after a group has become durable. */
  readonly onDurable: () => void;
  /** Called after a segment was sealed. */
  readonly onSealed: () => void;
  /** Called once when the log has failed for good. */
  readonly onFailed: (error: ChappeError) => void;
}

interface Flusher {
  readonly resolve: () => void;
  readonly reject: (error: ChappeError) => void;
}

/**
 * The one writer. While a group is being written and synced, appends wait; whatever waits then is the next group.
 * Committed offsets are written along when they are due and are not synced on their own.
 */
export class JournalWriter {
  readonly #journal: Journal;
  readonly #options: WriterOptions;
  readonly #queue: AppendQueue;
  readonly #space: DiskSpace;
  #flushers: Flusher[] = [];
  #offsetsDue = false;
  #running: Promise<void> | undefined;
  #failure: ChappeError | undefined;
  #emptyGroupIsLast = false;
  #lastTimeMs = 0;

  constructor(journal: Journal, options: WriterOptions) {
    this.#journal = journal;
    this.#options = options;
    this.#queue = new AppendQueue(options.maxQueueBytes);
    this.#space = new DiskSpace(journal.files, journal.directory, {
      minFreeBytes: options.minFreeBytes,
      checkMs: options.diskCheckMs,
    });
  }

  /** Why the log has failed for good, if it has. */
  get failure(): ChappeError | undefined {
    return this.#failure;
  }

  /** Appends a record; `payload` must not change until this settles. */
  append(kind: number, partition: number, payload: Uint8Array): Promise<Appended> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const appended = this.#queue.push(kind, partition, payload);
    this.#start();
    return appended;
  }

  /** Writes the committed offsets that are not in the journal, without a sync of their own. */
  writeOffsets(): void {
    this.#offsetsDue = true;
    this.#start();
  }

  /** Settles when all commits before this call are durable. */
  flush(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const flushed = new Promise<void>((resolve, reject) => {
      this.#flushers.push({ resolve, reject });
    });
    this.#start();
    return flushed;
  }

  /** Settles when the writer has nothing in hand. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Appends made in the same turn go out together.
    await undefined;
    try {
      while (this.#failure === undefined && this.#hasWork()) await this.#step();
    } finally {
      this.#running = undefined;
    }
  }

  #hasWork(): boolean {
    return this.#queue.length > 0 || this.#flushers.length > 0 || this.#offsetsDue;
  }

  async #step(): Promise<void> {
    const flushers = this.#flushers;
    this.#flushers = [];
    const appends = this.#queue.take(this.#options.maxGroupBytes);
    try {
      await this.#write(appends, flushers.length > 0);
      for (const { resolve } of flushers) resolve();
    } catch (error) {
      const answer = this.#answerTo(error);
      this.#journal.committed.markAllDirty();
      for (const { reject } of [...appends, ...flushers]) reject(answer);
    } finally {
      this.#queue.release(appends);
    }
  }

  #answerTo(error: unknown): ChappeError {
    if (ChappeError.is(error, "DISK_FULL")) return error;
    this.#failure = new ChappeError("INTERNAL", "the log has failed and must be started again", { cause: error });
    const waiting = this.#queue.take(Number.POSITIVE_INFINITY);
    const flushers = this.#flushers.splice(0);
    for (const { reject } of [...waiting, ...flushers]) reject(this.#failure);
    this.#queue.release(waiting);
    this.#options.onFailed(this.#failure);
    return this.#failure;
  }

  async #write(appends: readonly PendingAppend[], flush: boolean): Promise<void> {
    const journal = this.#journal;
    const offsetsDue = this.#offsetsDue || flush;
    this.#offsetsDue = false;
    if (journal.position - journal.segments.at(-1)!.base >= this.#options.segmentBytes) await this.#roll();
    const records = this.#number(appends, offsetsDue && journal.committed.dirty);
    const idle = records.length === 0 && (!flush || this.#emptyGroupIsLast);
    if (!idle) await this.#put(records);
    if (appends.length === 0 && !flush) return;
    await journal.active.datasync();
    journal.durable = journal.position;
    const timeMs = this.#lastTimeMs;
    for (const append of appends) {
      journal.ends[append.kind * journal.partitions + append.partition] = append.offset + 1;
      append.resolve({ offset: append.offset, timeMs });
    }
    this.#options.onDurable();
  }

  /** Gives the appends their offsets; nobody sees these before the group is durable. */
  #number(appends: readonly PendingAppend[], withOffsets: boolean): readonly FramedRecord[] {
    const { ends, partitions, committed } = this.#journal;
    if (appends.length > 0) {
      const next = ends.slice();
      for (const append of appends) append.offset = next[append.kind * partitions + append.partition]!++;
    }
    if (!withOffsets) return appends;
    return [...appends, { kind: stateKind, partition: 0, offset: 0, payload: committed.takeDirty() }];
  }

  async #put(records: readonly FramedRecord[]): Promise<void> {
    const journal = this.#journal;
    const { position, durable: syncedTo, salt } = journal;
    const segment = journal.segments.at(-1)!;
    const group = encodeGroup({ position, syncedTo, timeMs: journal.now(), salt }, records);
    if (!this.#space.fresh) await this.#space.look();
    if (!this.#space.take(group.bytes.byteLength)) throw diskFull();
    try {
      await journal.active.write(group.bytes, position - segment.base);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      await journal.active.truncate(position - segment.base);
      throw diskFull(error);
    }
    this.#written(group, records.length);
  }

  #written(group: Group, count: number): void {
    const journal = this.#journal;
    const lengthBytes = group.bytes.byteLength;
    journal.segments.at(-1)!.note(lengthBytes, group.timeMs, journal.ends, journal.indexIntervalBytes);
    journal.position += lengthBytes;
    journal.ring.push(group);
    this.#lastTimeMs = group.timeMs;
    this.#emptyGroupIsLast = count === 0;
  }

  /** Seals the segment and starts the next one; on a full disk the old one stays in use. */
  async #roll(): Promise<void> {
    const journal = this.#journal;
    const sealed = journal.segments.at(-1)!;
    if (journal.durable < journal.position) {
      await journal.active.datasync();
      journal.durable = journal.position;
    }
    const { segment, file, group } = await createSegment(journal, journal.position, journal).catch((error: unknown) => {
      throw isNoSpace(error) ? diskFull(error) : error;
    });
    await journal.active.close();
    journal.active = file;
    journal.segments.push(segment);
    journal.ring.push(group);
    journal.position = journal.durable = segment.end;
    try {
      await journal.files.replace(sealed.indexPath, encodeSegmentIndex(sealed), false);
    } catch (error) {
      journal.report({ kind: "upkeep-failed", path: sealed.indexPath, error });
    }
    this.#options.onSealed();
  }
}
