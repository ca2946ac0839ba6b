/** Opcodes of RFC 6455 that this client knows. */
export const opcodes = { binary: 2, close: 8, ping: 9, pong: 10 } as const;

const finBit = 0x80;
const maskBit = 0x80;

/** One masked client frame, ready to be written. `mask` is 4 bytes. */
export function encodeClientFrame(opcode: number, payload: Uint8Array, mask: Uint8Array): Buffer {
  const { length } = payload;
  const headerBytes = length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + 4 + length);
  frame[0] = finBit | opcode;
  if (headerBytes === 2) frame[1] = maskBit | length;
  else if (headerBytes === 4) {
    frame[1] = maskBit | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = maskBit | 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.set(mask, headerBytes);
  const body = headerBytes + 4;
  for (let i = 0; i < length; i++) frame[body + i] = payload[i]! ^ mask[i & 3]!;
  return frame;
}

/** Called with a frame's opcode and the place of its payload in `buffer`, valid during the call only. */
export type OnFrame = (opcode: number, buffer: Buffer, start: number, end: number) => void;

/** Cuts the server's byte stream into frames. Throws on a masked or fragmented frame: this server sends neither. */
export class FrameReader {
  readonly #onFrame: OnFrame;
  #rest: Buffer | undefined;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** Takes bytes in; `chunk` may be reused by the caller afterwards. */
  push(chunk: Buffer): void {
    const buffer = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (true) {
      const end = this.#frame(buffer, at);
      if (end === 0) break;
      at = end;
    }
    this.#rest = at === buffer.length ? undefined : Buffer.from(buffer.subarray(at));
  }

  /** Reads one frame at `at`; answers where it ends, 0 when it is not whole yet. */
  #frame(buffer: Buffer, at: number): number {
    if (buffer.length - at < 2) return 0;
    const first = buffer[at]!;
    const second = buffer[at + 1]!;
    if ((first & finBit) === 0) throw new RangeError("the server sent a fragmented frame");
    if ((second & maskBit) !== 0) throw new RangeError("the server sent a masked frame");
    let length = second;
    let start = at + 2;
    if (second === 126) {
      if (buffer.length - at < 4) return 0;
      length = buffer.readUInt16BE(start);
      start += 2;
    } else if (second === 127) {
      if (buffer.length - at < 10) return 0;
      length = Number(buffer.readBigUInt64BE(start));
      start += 8;
    }
    const end = start + length;
    if (end > buffer.length) return 0;
    this.#onFrame(first & 0x0f, buffer, start, end);
    return end;
  }
}
