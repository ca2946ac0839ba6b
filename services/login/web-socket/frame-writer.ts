import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { appendPacket } from "@chappe/mesh/codec/packet.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type Outgoing, SharedPacket } from "../transport.ts";

const finBinary = 0x82;
const shortLength = 125;
const length16 = 126;
const length64 = 127;

/** Header of an unmasked, unfragmented binary frame: 2, 4 or 10 bytes. */
export function frameHeader(payloadBytes: number): Buffer {
  if (payloadBytes <= shortLength) return Buffer.from([finBinary, payloadBytes]);
  if (payloadBytes <= 0xffff) {
    const header = Buffer.from([finBinary, length16, 0, 0]);
    header.writeUInt16BE(payloadBytes, 2);
    return header;
  }
  const header = Buffer.alloc(10);
  header[0] = finBinary;
  header[1] = length64;
  header.writeUInt32BE(Math.floor(payloadBytes / 0x1_0000_0000), 2);
  header.writeUInt32BE(payloadBytes >>> 0, 6);
  return header;
}

/** Makes the WebSocket frames of a process. Frames are never written to again, so that sockets may share them. */
export interface FrameWriter {
  /** The frame whose PacketBatch is `first` and `rest`, `batchBytes` long. */
  frame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): Buffer;
}

/** A frame writer for one event loop. */
export function createFrameWriter(): FrameWriter {
  let scratch = new ByteWriter();
  let lastFirst: Outgoing | undefined;
  let lastRest: readonly Outgoing[] = [];
  let lastFrame: Buffer | undefined;

  const append = (outgoing: Outgoing): void => {
    if (outgoing instanceof SharedPacket) scratch.raw(outgoing.bytes);
    else appendPacket(scratch, outgoing);
  };
  const build = (first: Outgoing, rest: readonly Outgoing[], batchBytes: number): Buffer => {
    scratch.raw(frameHeader(batchBytes));
    append(first);
    for (const outgoing of rest) append(outgoing);
    const frame = Buffer.from(scratch.view());
    scratch.reset();
    if (scratch.capacityBytes > limits.maxPooledWriterBytes) scratch = new ByteWriter();
    return frame;
  };
  const isLast = (first: Outgoing, rest: readonly Outgoing[]): boolean => {
    if (first !== lastFirst || rest.length !== lastRest.length) return false;
    for (let i = 0; i < rest.length; i++) if (rest[i] !== lastRest[i]) return false;
    return true;
  };

  return {
    frame(first, rest, batchBytes) {
      if (rest === undefined) {
        if (!(first instanceof SharedPacket)) return build(first, [], batchBytes);
        first.frame ??= build(first, [], batchBytes);
        return first.frame;
      }
      // Members of one conversation get the same packets in the same turn: their frames are one.
      if (lastFrame === undefined || !isLast(first, rest)) {
        lastFrame = build(first, rest, batchBytes);
        lastFirst = first;
        lastRest = rest;
      }
      return lastFrame;
    },
  };
}
