import { ChappeError } from "../../errors/chappe-error.ts";
import { CommittedOffsets, type StateRecord, topics } from "./committed-offsets.ts";
import {
  bodyIsIntact,
  findMagic,
  type Group,
  GroupCursor,
  type GroupHeader,
  groupHeaderBytes,
  readGroupHeader,
  stateKind,
} from "./record-format.ts";
import { Segment } from "./segment.ts";

/** What a whole segment says. */
export interface ScannedSegment {
  readonly segment: Segment;
  /** First free offset of every partition after the last whole group. */
  readonly ends: Float64Array;
  readonly committed: CommittedOffsets;
  /** Bytes after the last whole group: a torn tail. */
  readonly tornBytes: number;
}

/** What a scan needs to know. */
export interface ScanInput {
  readonly directory: string;
  readonly base: number;
  readonly bytes: Uint8Array;
  readonly partitions: number;
  readonly salt: number;
  readonly indexIntervalBytes: number;
  /** Journal position up to which everything is known to have been on stable storage. */
  readonly syncedTo: number;
}

/** The refusal for damage at a journal position. */
export function corruptAt(path: string, fileOffset: number, what: string): ChappeError {
  return new ChappeError("CORRUPT", `${path}: ${what} at byte ${fileOffset}`);
}

/** The highest position that any intact group header at or after `from` calls synced. */
function syncedAfter(input: ScanInput, from: number): number {
  let synced = 0;
  for (let at = findMagic(input.bytes, from); at !== -1; at = findMagic(input.bytes, at + 1)) {
    const header = readGroupHeader(input.bytes, at, input.base + at, input.salt);
    if (header !== undefined) synced = Math.max(synced, header.syncedTo);
  }
  return synced;
}

class Scan {
  readonly segment: Segment;
  readonly committed: CommittedOffsets;
  readonly ends: Float64Array;
  readonly #input: ScanInput;

  constructor(input: ScanInput) {
    this.#input = input;
    this.segment = new Segment(input.directory, input.base);
    this.committed = new CommittedOffsets(input.partitions);
    this.ends = new Float64Array(topics.length * input.partitions);
  }

  take(header: GroupHeader, at: number): void {
    const bytes = this.#input.bytes.subarray(at, at + groupHeaderBytes + header.bodyBytes);
    const group: Group = { position: header.position, timeMs: header.timeMs, bytes };
    // The first group of a segment holds the ends at its start, so it is read before it is noted.
    if (at === 0) this.#records(group);
    this.segment.note(bytes.byteLength, header.timeMs, this.ends, this.#input.indexIntervalBytes);
    if (at !== 0) this.#records(group);
  }

  #records(group: Group): void {
    const cursor = new GroupCursor(group);
    while (cursor.next()) {
      if (cursor.kind === stateKind) {
        this.#state(cursor.payload());
        continue;
      }
      const stream = cursor.kind * this.#input.partitions + cursor.partition;
      if (cursor.offset !== this.ends[stream]) {
        const fileOffset = group.position - this.#input.base;
        throw corruptAt(this.segment.path, fileOffset, `offset ${cursor.offset} where ${this.ends[stream]} is due`);
      }
      this.ends[stream] = cursor.offset + 1;
    }
  }

  #state(payload: Uint8Array): void {
    const record: StateRecord = JSON.parse(Buffer.from(payload).toString("utf8"));
    if (record.ends !== undefined) this.ends.set(record.ends);
    this.committed.apply(record);
  }
}

/**
 * Reads a whole segment. Damage after the last position known to be synced is a torn tail; damage before it, be it
 * named by the caller or by any intact group header further on, is CORRUPT.
 */
export function scanSegment(input: ScanInput): ScannedSegment {
  const { bytes, base } = input;
  const scan = new Scan(input);
  let at = 0;
  while (at < bytes.byteLength) {
    const header = readGroupHeader(bytes, at, base + at, input.salt);
    if (header === undefined || !bodyIsIntact(bytes, at, header)) break;
    scan.take(header, at);
    at += groupHeaderBytes + header.bodyBytes;
  }
  const synced = Math.max(input.syncedTo, at < bytes.byteLength ? syncedAfter(input, at) : 0);
  if (synced > base + at) throw corruptAt(scan.segment.path, at, "damage in data that was on stable storage");
  return { segment: scan.segment, ends: scan.ends, committed: scan.committed, tornBytes: bytes.byteLength - at };
}
