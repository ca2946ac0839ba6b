import { crc32 } from "node:zlib";
import { type Checkpoint, Segment } from "./segment.ts";

/** What a segment's index file holds: the sparse index and the segment's length, so that a start need not read it. */
interface IndexHead {
  readonly base: number;
  readonly lengthBytes: number;
  readonly lastTimeMs: number;
  readonly streams: number;
}

const magic = 0x31584449;
const headNumbers = 5;

/** The segment as bytes: crc u32, magic u32, then f64 numbers (head, then position and ends of each checkpoint). */
export function encodeSegmentIndex(segment: Segment): Uint8Array {
  const streams = segment.checkpoints[0]!.ends.length;
  const numbers = [segment.base, segment.lengthBytes, segment.lastTimeMs, streams, segment.checkpoints.length];
  for (const { position, ends } of segment.checkpoints) numbers.push(position, ...ends);
  const bytes = Buffer.alloc(8 + numbers.length * 8);
  bytes.writeUInt32LE(magic, 4);
  numbers.forEach((number, i) => {
    bytes.writeDoubleLE(number, 8 + i * 8);
  });
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

function readHead(bytes: Buffer): IndexHead & { readonly count: number } {
  const number = (i: number): number => bytes.readDoubleLE(8 + i * 8);
  return { base: number(0), lengthBytes: number(1), lastTimeMs: number(2), streams: number(3), count: number(4) };
}

/** The segment that the index describes; undefined when the bytes are damaged or of another segment. */
export function decodeSegmentIndex(
  raw: Uint8Array,
  expected: { readonly directory: string; readonly base: number; readonly streams: number },
): Segment | undefined {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  if (bytes.length < 8 + headNumbers * 8 || bytes.readUInt32LE(4) !== magic) return undefined;
  if (crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) return undefined;
  const head = readHead(bytes);
  if (head.base !== expected.base || head.streams !== expected.streams || head.count < 1) return undefined;
  const rowBytes = (1 + head.streams) * 8;
  const checkpoints: Checkpoint[] = [];
  for (let at = 8 + headNumbers * 8; at < bytes.length; at += rowBytes) {
    const ends = Float64Array.from({ length: head.streams }, (_, i) => bytes.readDoubleLE(at + 8 + i * 8));
    checkpoints.push({ position: bytes.readDoubleLE(at), ends });
  }
  const segment = new Segment(expected.directory, expected.base, checkpoints);
  segment.lengthBytes = head.lengthBytes;
  segment.lastTimeMs = head.lastTimeMs;
  return segment;
}
