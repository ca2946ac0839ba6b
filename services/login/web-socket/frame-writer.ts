import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { appendPacket } from "@chappe/mesh/codec/packet.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type Outgoing, SharedPacket } from "../transport.ts";

const finBinary = 0x82;
const shortLength = 125;
const length16 = 126;
const length64 = 127;
const none: readonly Outgoing[] = [];

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

/** How frames of another transport differ from those of WebSocket. */
export interface Framing {
  /** What stands before a batch of so many bytes. */
  readonly header: (payloadBytes: number) => Uint8Array;
  /** Whether `SharedPacket.frame` holds frames of this framing. */
  readonly usesMemo: boolean;
}

/** A frame writer for one event loop. @param framing @default that of WebSocket */
export function createFrameWriter(
  { header, usesMemo }: Framing = { header: frameHeader, usesMemo: true },
): FrameWriter {
  let scratch = new ByteWriter();
  let lastFirst: Outgoing | undefined;
  let lastRest: readonly Outgoing[] = [];
  let lastFrame: Buffer | undefined;

  const append = (outgoing: Outgoing): void => {
    if (outgoing instanceof SharedPacket) scratch.raw(outgoing.bytes);
    else appendPacket(scratch, outgoing);
  };
  const build = (first: Outgoing, rest: readonly Outgoing[], batchBytes: number): Buffer => {
    scratch.raw(header(batchBytes));
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
      if (rest === undefined && !(first instanceof SharedPacket)) return build(first, none, batchBytes);
      if (rest === undefined && usesMemo && first instanceof SharedPacket) {
        first.frame ??= build(first, none, batchBytes);
        return first.frame;
      }
      // Members of one conversation get the same packets in the same turn: their frames are one.
      const others = rest ?? none;
      if (lastFrame === undefined || !isLast(first, others)) {
        lastFrame = build(first, others, batchBytes);
        lastFirst = first;
        lastRest = others;
      }
      return lastFrame;
    },
  };
}
