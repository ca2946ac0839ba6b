/** LogRecord, RecordEnvelope and EnvelopeEntry of chappe.mesh.v1: records of the message log. */
import { crc32 } from "node:zlib";
import { ChappeError } from "../errors/chappe-error.ts";
import { encodeExact } from "./byte-writer.ts";
import {
  type DecodedEntry,
  envelopeEntrySize,
  type LogRecordEntry,
  readEnvelopeEntry,
  writeEnvelopeEntry,
} from "./log-entry.ts";
import { emptyBytes, WireReader } from "./wire-reader.ts";
import { delimitedSize, fixed32FieldSize } from "./wire-size.ts";

export type { DecodedEntry, LogEntryHead, LogRecordEntry } from "./log-entry.ts";

interface Envelope {
  readonly bytes: Uint8Array;
  readonly bodies: Uint8Array;
}

const envelopeTag = 0x0a;
const envelopeCrcTag = 0x15;
const bodiesTag = 0x1a;
const entriesTag = 0x0a;
/** Bytes of a CRC field. */
const crcFieldBytes = 5;

/** Bytes that an entry adds to a record, at most: the lengths of `envelope` and `bodies` are not in it. */
export function logEntrySize(entry: LogRecordEntry): number {
  return delimitedSize(envelopeEntrySize(entry, crcFieldBytes)) + entry.body.length;
}

/** An encoded LogRecord, with the CRC of each body and of the envelope. INTERNAL when there is no entry. */
export function encodeLogRecord(entries: readonly LogRecordEntry[]): Uint8Array {
  const crcs = entries.map((entry) => crc32(entry.body));
  const sizes = entries.map((entry, i) => envelopeEntrySize(entry, fixed32FieldSize(crcs[i]!)));
  let envelopeSize = 0;
  let bodiesSize = 0;
  for (let i = 0; i < entries.length; i++) {
    envelopeSize += delimitedSize(sizes[i]!);
    bodiesSize += entries[i]!.body.length;
  }
  if (entries.length === 0) throw new ChappeError("INTERNAL", "a log record needs an entry");
  const most = delimitedSize(envelopeSize) + crcFieldBytes + delimitedSize(bodiesSize);
  return encodeExact(most, (writer) => {
    writer.head(envelopeTag, envelopeSize);
    const start = writer.length;
    for (let i = 0; i < entries.length; i++) {
      writer.head(entriesTag, sizes[i]!);
      writeEnvelopeEntry(writer, entries[i]!, crcs[i]!);
    }
    writer.fixed32Field(envelopeCrcTag, crc32(writer.view(start)));
    if (bodiesSize === 0) return;
    writer.head(bodiesTag, bodiesSize);
    for (const entry of entries) writer.raw(entry.body);
  });
}

/**
 * Decodes a LogRecord; byte fields are views into `bytes`. CORRUPT when the envelope is absent or not what was written. With a
 * good envelope it never throws: each body that is damaged, cut off or missing is undefined.
 */
export function decodeLogRecord(bytes: Uint8Array): DecodedEntry[] {
  const { bytes: envelope, bodies } = readRecord(bytes);
  const reader = new WireReader(envelope, "CORRUPT");
  const entries: DecodedEntry[] = [];
  let bodyStart = 0;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== entriesTag) {
      reader.skip(tag);
      continue;
    }
    const outer = reader.enter();
    bodyStart = readEnvelopeEntry(reader, bodies, bodyStart, entries);
    reader.leave(outer);
  }
  return entries;
}

function readRecord(bytes: Uint8Array): Envelope {
  const reader = new WireReader(bytes, "CORRUPT");
  let envelope = emptyBytes;
  let envelopeCrc = 0;
  let bodies = emptyBytes;
  try {
    while (reader.pos < reader.end) {
      const tag = reader.tag();
      if (tag === envelopeTag) envelope = reader.view();
      else if (tag === envelopeCrcTag) envelopeCrc = reader.fixed32();
      else if (tag === bodiesTag) bodies = reader.view();
      else reader.skip(tag);
    }
    if (verified(envelope, envelopeCrc)) return { bytes: envelope, bodies };
  } catch (error) {
    return salvage(bytes, error);
  }
  return salvage(bytes);
}

/**
 * For a record whose bodies are damaged in a way that hides their end: the envelope stands when its CRC does, and the
 * bodies are what follows it.
 */
function salvage(bytes: Uint8Array, cause?: unknown): Envelope {
  const reader = new WireReader(bytes, "CORRUPT");
  let envelope = emptyBytes;
  let envelopeCrc = 0;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === envelopeTag) envelope = reader.view();
    else if (tag === envelopeCrcTag) envelopeCrc = reader.fixed32();
    else reader.skip(tag);
    if (verified(envelope, envelopeCrc)) return { bytes: envelope, bodies: bodiesAfter(reader) };
  }
  throw new ChappeError("CORRUPT", "the envelope of a record does not match its checksum", { cause });
}

/** Never true of an absent envelope, whose CRC of 0 would match: a record cut to nothing must not pass for an empty one. */
function verified(envelope: Uint8Array, crc: number): boolean {
  return envelope.length > 0 && crc32(envelope) === crc;
}

/** What follows a verified envelope, without tag and length; cut where the record is cut. */
function bodiesAfter(reader: WireReader): Uint8Array {
  return reader.take(bodiesTag) ? reader.clippedView() : emptyBytes;
}
