import { ChappeError } from "../../errors/chappe-error.ts";
import type { LogEntry, PartitionBatch } from "../../ports/log.ts";
import type { Journal } from "./journal.ts";
import { JournalReader } from "./journal-reader.ts";
import { GroupCursor } from "./record-format.ts";
import { locate } from "./segment.ts";

/** Bounds of one batch and of one read. */
export interface ReadBounds {
  readonly maxBatchRecords: number;
  readonly maxBatchBytes: number;
  readonly readChunkBytes: number;
}

/** A batch that is being collected. */
class Collected {
  readonly #entries = new Map<number, LogEntry[]>();
  records = 0;
  payloadBytes = 0;

  add(partition: number, entry: LogEntry): void {
    const entries = this.#entries.get(partition);
    if (entries === undefined) this.#entries.set(partition, [entry]);
    else entries.push(entry);
    this.records++;
    this.payloadBytes += entry.payload.byteLength;
  }

  batches(): PartitionBatch[] {
    return [...this.#entries].map(([partition, entries]) => ({ partition, entries }));
  }
}

/** Reads the owned partitions of one topic, each from its own offset on, in one walk over the journal. */
export class PartitionReader {
  readonly #journal: Journal;
  readonly #topic: number;
  readonly #bounds: ReadBounds;
  readonly #reader: JournalReader;
  /** Next offset of each owned partition. */
  readonly #next = new Map<number, number>();
  #cursor: GroupCursor | undefined;
  /** Whether the cursor stands on a record that did not fit the last batch. */
  #onRecord = false;

  constructor(journal: Journal, topic: number, bounds: ReadBounds) {
    this.#journal = journal;
    this.#topic = topic;
    this.#bounds = bounds;
    this.#reader = new JournalReader(journal, bounds.readChunkBytes);
  }

  /** Partitions being read. */
  get owned(): readonly number[] {
    return [...this.#next.keys()];
  }

  has(partition: number): boolean {
    return this.#next.has(partition);
  }

  /** Next offset to be handed over; undefined when the partition is not owned. */
  nextOf(partition: number): number | undefined {
    return this.#next.get(partition);
  }

  /** Adds partitions with their start offsets. CORRUPT when one is not in the log any more, or not yet. */
  add(starts: ReadonlyMap<number, number>): void {
    const wanted = new Map<number, number>();
    for (const [partition, offset] of [...this.#next, ...starts]) wanted.set(this.#stream(partition), offset);
    for (const [partition, offset] of starts) this.#check(partition, offset);
    const atEnd = [...wanted].every(([stream, offset]) => offset === this.#journal.ends[stream]);
    const { segments, durable } = this.#journal;
    this.#reader.seek(atEnd ? durable : (locate(segments, wanted) ?? segments[0]!.base));
    this.#cursor = undefined;
    this.#onRecord = false;
    for (const [partition, offset] of starts) this.#next.set(partition, offset);
  }

  remove(partitions: readonly number[]): void {
    for (const partition of partitions) this.#next.delete(partition);
  }

  /** The next records, up to the bounds; none at the end of the log. CORRUPT when the journal cannot be read. */
  async collect(): Promise<PartitionBatch[]> {
    const collected = new Collected();
    let walkedBytes = 0;
    for (;;) {
      if (this.#cursor === undefined) {
        if (collected.records > 0 && walkedBytes >= this.#bounds.maxBatchBytes) break;
        const next = this.#reader.next();
        const group = next instanceof Promise ? await next : next;
        if (group === undefined) break;
        walkedBytes += group.bytes.byteLength;
        this.#cursor = new GroupCursor(group);
      }
      if (!this.#drain(this.#cursor, collected)) break;
      this.#cursor = undefined;
    }
    return collected.batches();
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  /** Takes the group's records that are wanted; false when the batch is full before the group's end. */
  #drain(cursor: GroupCursor, collected: Collected): boolean {
    const { maxBatchRecords, maxBatchBytes } = this.#bounds;
    while (this.#onRecord || cursor.next()) {
      this.#onRecord = false;
      if (cursor.kind !== this.#topic) continue;
      const due = this.#next.get(cursor.partition);
      if (due === undefined || cursor.offset < due) continue;
      if (cursor.offset > due) throw this.#hole(cursor.partition, due);
      const fits = collected.payloadBytes + cursor.lengthBytes <= maxBatchBytes && collected.records < maxBatchRecords;
      if (!fits && collected.records > 0) {
        this.#onRecord = true;
        return false;
      }
      collected.add(cursor.partition, { offset: cursor.offset, timeMs: cursor.timeMs, payload: cursor.payload() });
      this.#next.set(cursor.partition, cursor.offset + 1);
    }
    return true;
  }

  #stream(partition: number): number {
    return this.#topic * this.#journal.partitions + partition;
  }

  #check(partition: number, offset: number): void {
    const stream = this.#stream(partition);
    const oldest = this.#journal.segments[0]!.checkpoints[0]!.ends[stream]!;
    const end = this.#journal.ends[stream]!;
    if (offset >= oldest && offset <= end) return;
    throw new ChappeError(
      "CORRUPT",
      `partition ${partition} is to be read from offset ${offset}, but the log holds ${oldest} to ${end}`,
    );
  }

  #hole(partition: number, due: number): ChappeError {
    return new ChappeError("CORRUPT", `offset ${due} of partition ${partition} is missing from the log`);
  }
}
