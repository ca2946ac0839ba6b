import { describe, expect, it } from "vitest";
import { encodeClientFrame, FrameReader, opcodes } from "./websocket-frame.ts";

/** A server frame, unmasked. */
function serverFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = Buffer.from([0x80 | opcode, length < 126 ? length : length < 0x1_0000 ? 126 : 127]);
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(length));
  const size = length < 126 ? Buffer.alloc(0) : length < 0x1_0000 ? long.subarray(6) : long;
  return Buffer.concat([head, size, payload]);
}

function unmask(frame: Buffer): { opcode: number; payload: Buffer } {
  const short = frame[1]! & 0x7f;
  const sizeBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const maskAt = 2 + sizeBytes;
  const payload = Buffer.from(frame.subarray(maskAt + 4));
  for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ frame[maskAt + (i & 3)]!;
  return { opcode: frame[0]! & 0x0f, payload };
}

const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

describe("encodeClientFrame", () => {
  it.each(sizes)("masks a payload of %i bytes", (size) => {
    const payload = Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
    const frame = encodeClientFrame(opcodes.binary, payload, Buffer.from([1, 2, 3, 4]));
    expect(frame[1]! & 0x80).toBe(0x80);
    expect(unmask(frame)).toEqual({ opcode: opcodes.binary, payload });
    if (size > 0) expect(frame.subarray(-size).equals(payload)).toBe(false);
  });
});

describe("FrameReader", () => {
  const collect = (chunks: readonly Buffer[]): Buffer[] => {
    const frames: Buffer[] = [];
    const reader = new FrameReader((opcode, buffer, start, end) =>
      frames.push(Buffer.concat([Buffer.from([opcode]), buffer.subarray(start, end)])),
    );
    for (const chunk of chunks) {
      const reused = Buffer.from(chunk);
      reader.push(reused);
      reused.fill(0xee);
    }
    return frames;
  };
  const payloads = sizes.map((size) => Buffer.alloc(size, size % 250));
  const stream = Buffer.concat(payloads.map((payload) => serverFrame(opcodes.binary, payload)));
  const expected = payloads.map((payload) => Buffer.concat([Buffer.from([opcodes.binary]), payload]));

  it.each([1, 2, 3, 7, 100, 4_096, 1_000_000])("finds all frames in chunks of %i bytes", (size) => {
    // One byte at a time only for the small frames: the large ones would make it slow.
    const bytes = size < 100 ? stream.subarray(0, 600) : stream;
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    const frames = collect(chunks);
    expect(frames.length).toBe(size < 100 ? 5 : expected.length);
    for (const [i, frame] of frames.entries()) expect(frame.equals(expected[i]!)).toBe(true);
  });

  it.each([
    ["fragmented", Buffer.from([0x02, 0])],
    ["masked", Buffer.from([0x82, 0x80, 1, 2, 3, 4])],
  ])("throws on a %s frame", (name, bytes) => {
    expect(() => collect([bytes])).toThrow(name);
  });
});
