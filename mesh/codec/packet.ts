/** Packet and PacketBatch of chappe.mesh.v1. Free of Node modules, so that it also runs in browsers. */
import { limits } from "../limits.ts";
import { type ByteWriter, encodeExact } from "./byte-writer.ts";
import { emptyBytes, WireReader } from "./wire-reader.ts";
import { bytesFieldSize, delimitedSize, enumFieldSize, uint32FieldSize } from "./wire-size.ts";

/**
 * chappe.mesh.v1.Packet. The byte fields of a decoded packet are views into the input: copy what outlives it.
 * An absent bytes field is `emptyBytes`.
 */
export interface Packet {
  /** chappe.mesh.v1.PacketKind; a value this version does not know stays the number it is. */
  readonly kind: number;
  readonly svid: number;
  readonly cmd: number;
  readonly id: number;
  readonly affinity: Uint8Array;
  readonly timeoutMs: number;
  readonly traceContext: Uint8Array;
  readonly payload: Uint8Array;
}

/** How a batch is decoded. */
export interface PacketBatchOptions {
  /** A batch with more packets is rejected. @default limits.maxPacketsPerFrame */
  readonly maxPackets?: number;
}

const packetsTag = 0x0a;

/** A packet of these fields, the others absent. */
export function createPacket(fields: Partial<Packet>): Packet {
  const { kind = 0, svid = 0, cmd = 0, id = 0, timeoutMs = 0 } = fields;
  const { affinity = emptyBytes, traceContext = emptyBytes, payload = emptyBytes } = fields;
  return { kind, svid, cmd, id, affinity, timeoutMs, traceContext, payload };
}

/** Size of an encoded packet, without tag and length. */
export function packetSize(packet: Packet): number {
  return (
    enumFieldSize(packet.kind) +
    uint32FieldSize(packet.svid) +
    uint32FieldSize(packet.cmd) +
    uint32FieldSize(packet.id) +
    bytesFieldSize(packet.affinity) +
    uint32FieldSize(packet.timeoutMs) +
    bytesFieldSize(packet.traceContext) +
    bytesFieldSize(packet.payload)
  );
}

/**
 * Appends one packet of a PacketBatch: a batch is nothing but such packets one after the other, so that bytes made
 * once can go into the batches of many connections with `writer.raw`.
 */
export function appendPacket(writer: ByteWriter, packet: Packet): void {
  const size = packetSize(packet);
  writer.reserve(delimitedSize(size));
  writer.head(packetsTag, size);
  writePacket(writer, packet);
}

/** One packet of a PacketBatch as bytes of its own, see appendPacket. */
export function encodeBatchedPacket(packet: Packet): Uint8Array {
  return encodeExact(delimitedSize(packetSize(packet)), (writer) => appendPacket(writer, packet));
}

/** An encoded PacketBatch. */
export function encodePacketBatch(packets: readonly Packet[]): Uint8Array {
  let size = 0;
  for (const packet of packets) size += delimitedSize(packetSize(packet));
  return encodeExact(size, (writer) => {
    for (const packet of packets) appendPacket(writer, packet);
  });
}

/** Decodes a PacketBatch; byte fields are views into `bytes`. MALFORMED_FRAME when it is none or holds too many. */
export function decodePacketBatch(bytes: Uint8Array, options: PacketBatchOptions = {}): Packet[] {
  const maxPackets = options.maxPackets ?? limits.maxPacketsPerFrame;
  const reader = new WireReader(bytes, "MALFORMED_FRAME");
  const packets: Packet[] = [];
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag !== packetsTag) {
      reader.skip(tag);
      continue;
    }
    if (packets.length >= maxPackets) reader.fail(`more than ${maxPackets} packets`);
    const outer = reader.enter();
    packets.push(readPacket(reader));
    reader.leave(outer);
  }
  return packets;
}

function writePacket(writer: ByteWriter, packet: Packet): void {
  writer.enumField(0x08, packet.kind);
  writer.numberField(0x10, packet.svid);
  writer.numberField(0x18, packet.cmd);
  writer.numberField(0x20, packet.id);
  writer.bytesField(0x2a, packet.affinity);
  writer.numberField(0x30, packet.timeoutMs);
  writer.bytesField(0x3a, packet.traceContext);
  writer.bytesField(0x7a, packet.payload);
}

function readPacket(reader: WireReader): Packet {
  let kind = 0;
  let svid = 0;
  let cmd = 0;
  let id = 0;
  let affinity = emptyBytes;
  let timeoutMs = 0;
  let traceContext = emptyBytes;
  let payload = emptyBytes;
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === 0x08) kind = reader.int32();
    else if (tag === 0x10) svid = reader.uint32();
    else if (tag === 0x18) cmd = reader.uint32();
    else if (tag === 0x20) id = reader.uint32();
    else if (tag === 0x2a) affinity = reader.view();
    else if (tag === 0x30) timeoutMs = reader.uint32();
    else if (tag === 0x3a) traceContext = reader.view();
    else if (tag === 0x7a) payload = reader.view();
    else reader.skip(tag);
  }
  return { kind, svid, cmd, id, affinity, timeoutMs, traceContext, payload };
}
