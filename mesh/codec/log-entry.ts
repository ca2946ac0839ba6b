/** EnvelopeEntry of chappe.mesh.v1: what a log record says of one message. */
import { crc32 } from "node:zlib";
import type { ByteWriter } from "./byte-writer.ts";
import { emptyBytes, type WireReader } from "./wire-reader.ts";
import { bytesFieldSize, enumFieldSize, fixed64FieldSize, uint32FieldSize } from "./wire-size.ts";

/** What the envelope says of one message; views into the record when decoded. */
export interface LogEntryHead {
  /** 16 bytes. */
  readonly conversationId: Uint8Array;
  readonly senderId: bigint;
  /** 16 bytes. */
  readonly clientMessageId: Uint8Array;
  /** First 8 bytes of the SHA-256 of the body. */
  readonly digest: bigint;
  /** 0 for short connections. */
  readonly deviceId: bigint;
  /** chappe.mesh.v1.EntryKind; a value this version does not know stays the number it is. */
  readonly kind: number;
  /** W3C traceparent, empty when not sampled. */
  readonly traceContext: Uint8Array;
}

/** One message to write. */
export interface LogRecordEntry extends LogEntryHead {
  readonly body: Uint8Array;
}

/** One message as read. */
export interface DecodedEntry extends LogEntryHead {
  /** A view into the record; undefined when it was damaged: the message becomes a placeholder. */
  readonly body: Uint8Array | undefined;
  /** What stands where the body should, intact or not. */
  readonly found: Uint8Array;
}

/** Size of an EnvelopeEntry whose CRC field takes `crcSize` bytes, without tag and length. */
export function envelopeEntrySize(entry: LogRecordEntry, crcSize: number): number {
  return (
    bytesFieldSize(entry.conversationId) +
    fixed64FieldSize(entry.senderId) +
    bytesFieldSize(entry.clientMessageId) +
    fixed64FieldSize(entry.digest) +
    uint32FieldSize(entry.body.length) +
    crcSize +
    fixed64FieldSize(entry.deviceId) +
    enumFieldSize(entry.kind) +
    bytesFieldSize(entry.traceContext)
  );
}

/** Writes an EnvelopeEntry; the writer has room for it. */
export function writeEnvelopeEntry(writer: ByteWriter, entry: LogRecordEntry, bodyCrc: number): void {
  writer.bytesField(0x0a, entry.conversationId);
  writer.fixed64Field(0x11, entry.senderId);
  writer.bytesField(0x1a, entry.clientMessageId);
  writer.fixed64Field(0x21, entry.digest);
  writer.numberField(0x28, entry.body.length);
  writer.fixed32Field(0x35, bodyCrc);
  writer.fixed64Field(0x39, entry.deviceId);
  writer.enumField(0x40, entry.kind);
  writer.bytesField(0x4a, entry.traceContext);
}

/** Reads an EnvelopeEntry, pushes it with its body, answers where the next body starts. */
export function readEnvelopeEntry(
  reader: WireReader,
  bodies: Uint8Array,
  bodyStart: number,
  into: DecodedEntry[],
): number {
  let conversationId = emptyBytes;
  let senderId = 0n;
  let clientMessageId = emptyBytes;
  let digest = 0n;
  let bodyBytes = 0;
  let bodyCrc = 0;
  let deviceId = 0n;
  let kind = 0;
  let traceContext = emptyBytes;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x0a) conversationId = reader.view();
    else if (tag === 0x11) senderId = reader.fixed64();
    else if (tag === 0x1a) clientMessageId = reader.view();
    else if (tag === 0x21) digest = reader.fixed64();
    else if (tag === 0x28) bodyBytes = reader.uint32();
    else if (tag === 0x35) bodyCrc = reader.fixed32();
    else if (tag === 0x39) deviceId = reader.fixed64();
    else if (tag === 0x40) kind = reader.int32();
    else if (tag === 0x4a) traceContext = reader.view();
    else reader.skip(tag);
  }
  const bodyEnd = bodyStart + bodyBytes;
  const found = bodies.subarray(bodyStart, bodyEnd);
  const body = found.length === bodyBytes && crc32(found) === bodyCrc ? found : undefined;
  into.push({ conversationId, senderId, clientMessageId, digest, deviceId, kind, traceContext, body, found });
  return bodyEnd;
}
