/**
 * Bytes of the journal. A journal is a row of groups; a group is a header and its records, written in one piece.
 *
 *     group header  magic u32 | crc u32 | position u64 | syncedTo u64 | bodyBytes u32 | count u32 | timeMs u64
 *     record        crc u32 | length u32 | kind u8 | 0 u8 | partition u16 | offset u64 | payload
 *
 * All integers are little-endian. The header's crc covers what follows it, seeded with the log's salt; a record's crc
 * covers what follows it, seeded with its group's crc, so that a record never passes for one of another group.
 */
import { crc32 } from "node:zlib";

/** Length of a group header, in bytes. */
export const groupHeaderBytes = 40;
/** Length of a record header, in bytes. */
const recordHeaderBytes = 20;
/** Kind of the records that hold committed offsets; kinds below the number of topics are topics. */
export const stateKind = 255;

const magic = Buffer.from("CHJ1");
const magicNumber = magic.readUInt32LE(0);
const two32 = 2 ** 32;

/** What a group header says. */
export interface GroupHeader {
  /** Journal position of the header's first byte. */
  readonly position: number;
  /** Everything before this journal position was on stable storage when the group was made. */
  readonly syncedTo: number;
  readonly bodyBytes: number;
  readonly count: number;
  /** When the log took the group, Unix milliseconds. */
  readonly timeMs: number;
  readonly crc: number;
}

/** A whole group: header and records. */
export interface Group {
  readonly position: number;
  readonly timeMs: number;
  readonly bytes: Uint8Array;
}

/** A record about to be written. */
export interface FramedRecord {
  readonly kind: number;
  readonly partition: number;
  readonly offset: number;
  readonly payload: Uint8Array;
}

function putUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % two32, true);
  view.setUint32(at + 4, Math.floor(value / two32), true);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * two32;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Encodes one group into a fresh buffer; payloads are copied. */
export function encodeGroup(
  head: { readonly position: number; readonly syncedTo: number; readonly timeMs: number; readonly salt: number },
  records: readonly FramedRecord[],
): Group {
  let totalBytes = groupHeaderBytes;
  for (const record of records) totalBytes += recordHeaderBytes + record.payload.byteLength;
  const bytes = Buffer.allocUnsafe(totalBytes);
  const view = viewOf(bytes);
  view.setUint32(0, magicNumber, true);
  putUint64(view, 8, head.position);
  putUint64(view, 16, head.syncedTo);
  view.setUint32(24, totalBytes - groupHeaderBytes, true);
  view.setUint32(28, records.length, true);
  putUint64(view, 32, head.timeMs);
  const crc = crc32(bytes.subarray(8, groupHeaderBytes), head.salt);
  view.setUint32(4, crc, true);
  let at = groupHeaderBytes;
  for (const record of records) {
    const end = at + recordHeaderBytes + record.payload.byteLength;
    view.setUint32(at + 4, record.payload.byteLength, true);
    view.setUint32(at + 8, record.kind | (record.partition << 16), true);
    putUint64(view, at + 12, record.offset);
    bytes.set(record.payload, at + recordHeaderBytes);
    view.setUint32(at, crc32(bytes.subarray(at + 4, end), crc), true);
    at = end;
  }
  return { position: head.position, timeMs: head.timeMs, bytes };
}

/** The intact group header that lies at `at` and names `position` as its place; undefined when there is none. */
export function readGroupHeader(
  bytes: Uint8Array,
  at: number,
  position: number,
  salt: number,
): GroupHeader | undefined {
  if (at + groupHeaderBytes > bytes.byteLength) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, groupHeaderBytes);
  if (view.getUint32(0, true) !== magicNumber || getUint64(view, 8) !== position) return undefined;
  const crc = view.getUint32(4, true);
  if (crc32(bytes.subarray(at + 8, at + groupHeaderBytes), salt) !== crc) return undefined;
  return {
    position,
    syncedTo: getUint64(view, 16),
    bodyBytes: view.getUint32(24, true),
    count: view.getUint32(28, true),
    timeMs: getUint64(view, 32),
    crc,
  };
}

/** Whether every record of the group at `at` is whole and matches its checksum. */
export function bodyIsIntact(bytes: Uint8Array, at: number, header: GroupHeader): boolean {
  const end = at + groupHeaderBytes + header.bodyBytes;
  if (end > bytes.byteLength) return false;
  const view = viewOf(bytes);
  let next = at + groupHeaderBytes;
  for (let i = 0; i < header.count; i++) {
    if (next + recordHeaderBytes > end) return false;
    const recordEnd = next + recordHeaderBytes + view.getUint32(next + 4, true);
    if (recordEnd > end) return false;
    if (crc32(bytes.subarray(next + 4, recordEnd), header.crc) !== view.getUint32(next, true)) return false;
    next = recordEnd;
  }
  return next === end;
}

/** Place of the next thing at or after `from` that looks like a group header; -1 when there is none. */
export function findMagic(bytes: Uint8Array, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(magic, from);
}

/** Steps through the records of an intact group; the fields describe the record that `next` moved to. */
export class GroupCursor {
  readonly timeMs: number;
  kind = 0;
  partition = 0;
  offset = 0;
  lengthBytes = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = groupHeaderBytes;
  #payloadAt = 0;

  constructor(group: Group) {
    this.timeMs = group.timeMs;
    this.#bytes = group.bytes;
    this.#view = viewOf(group.bytes);
  }

  /** Moves to the next record; false at the end. */
  next(): boolean {
    const at = this.#at;
    if (at >= this.#bytes.byteLength) return false;
    this.lengthBytes = this.#view.getUint32(at + 4, true);
    const kindAndPartition = this.#view.getUint32(at + 8, true);
    this.kind = kindAndPartition & 0xff;
    this.partition = kindAndPartition >>> 16;
    this.offset = getUint64(this.#view, at + 12);
    this.#payloadAt = at + recordHeaderBytes;
    this.#at = this.#payloadAt + this.lengthBytes;
    return true;
  }

  /** The record's payload: a view into the group, not a copy. */
  payload(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#payloadAt, this.lengthBytes);
  }
}
