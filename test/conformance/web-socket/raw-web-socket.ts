import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

/** Opcodes of RFC 6455, section 5.2. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame of the server. */
export interface ServerFrame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

/** How a hand-made frame may break the rules. */
export interface FrameOptions {
  /** @default true */
  readonly fin?: boolean;
  /** Reserved bits 1 to 3 as a number from 0 to 7. @default 0 */
  readonly rsv?: number;
  /** @default true */
  readonly masked?: boolean;
  /** The 64-bit length that is announced, in spite of the payload. */
  readonly announcedBytes?: bigint;
}

/** A client frame of these bytes (RFC 6455, section 5.2). */
export function frameOf(opcode: number, data: string | Uint8Array = "", options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, masked = true, announcedBytes } = options;
  const payload = Buffer.from(typeof data === "string" ? Buffer.from(data) : data);
  const maskBit = masked ? 0x80 : 0;
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  let length: Buffer;
  if (announcedBytes !== undefined || payload.length > 0xffff) {
    length = Buffer.alloc(9);
    length[0] = maskBit | 127;
    length.writeBigUInt64BE(announcedBytes ?? BigInt(payload.length), 1);
  } else if (payload.length > 125) length = Buffer.of(maskBit | 126, payload.length >> 8, payload.length & 0xff);
  else length = Buffer.of(maskBit | payload.length);
  if (!masked) return Buffer.concat([Buffer.of(first), length, payload]);
  const mask = randomBytes(4);
  for (let i = 0; i < payload.length; i++) payload[i]! ^= mask[i % 4]!;
  return Buffer.concat([Buffer.of(first), length, mask, payload]);
}

/** A close frame; without a code it is empty. */
export function closeFrameOf(code?: number, reason: string | Uint8Array = ""): Buffer {
  if (code === undefined) return frameOf(opcodes.close);
  return frameOf(opcodes.close, Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]));
}

/** Splits what the server sent; a rest that is no whole frame stays unread. */
export function readServerFrames(bytes: Buffer): { frames: ServerFrame[]; rest: Buffer } {
  const frames: ServerFrame[] = [];
  let at = 0;
  while (bytes.length - at >= 2) {
    const short = bytes[at + 1]! & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const start = at + 2 + lengthBytes;
    if (bytes.length < start) break;
    const length = lengthBytes === 0 ? short : Number.parseInt(bytes.toString("hex", at + 2, start), 16);
    if (bytes.length < start + length) break;
    const payload = bytes.subarray(start, start + length);
    frames.push({ fin: bytes[at]! >= 0x80, opcode: bytes[at]! & 0x0f, payload });
    at = start + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

/** The upgrade request of a client, with headers changed; an empty value leaves one out. */
export function upgradeRequest(changes: Readonly<Record<string, string>> = {}): string {
  const headers = {
    Host: "127.0.0.1",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...changes,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === "" ? [] : [`${name}: ${value}`]));
  return `GET /v1/socket HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

const waitMs = 10_000;

/** A WebSocket whose bytes are made by hand. */
export class RawWebSocket {
  readonly socket: Socket;
  readonly frames: ServerFrame[] = [];
  /** Answer to the upgrade, headers included; empty until it is there. */
  head = "";
  isEnded = false;
  #rest: Buffer = Buffer.alloc(0);
  #watchers: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => this.#onData(chunk as Buffer));
    const onEnd = (): void => {
      this.isEnded = true;
      this.#wake();
    };
    socket.on("end", onEnd).on("close", onEnd);
  }

  /** Connects and sends this request; settles when it is answered. */
  static async open(port: number, request = upgradeRequest()): Promise<RawWebSocket> {
    const client = new RawWebSocket(connect(port, "127.0.0.1"));
    client.socket.write(request);
    await client.until(() => client.head !== "");
    return client;
  }

  /** Sends bytes in pieces of so many, each in a turn of its own. @param pieceBytes @default all at once */
  async send(bytes: Uint8Array, pieceBytes = bytes.length): Promise<void> {
    for (let at = 0; at < bytes.length && !this.isEnded; at += pieceBytes) {
      this.socket.write(bytes.subarray(at, at + pieceBytes));
      if (at + pieceBytes < bytes.length) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Waits until this holds; throws when the connection ends before, or nothing happens for long. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(waitMs);
    while (!holds()) {
      if (this.isEnded) throw new Error("the server ended the connection");
      await new Promise<void>((resolve, reject) => {
        this.#watchers.push(resolve);
        deadline.addEventListener("abort", () => reject(new Error("the server did nothing")), { once: true });
      });
    }
  }

  /** Waits for the end of the connection; the close code, 1005 for an empty close, 1006 for none. */
  async closeCode(): Promise<number> {
    await this.until(() => this.isEnded).catch((error: unknown) => {
      if (!this.isEnded) throw error;
    });
    const close = this.frames.find(({ opcode }) => opcode === opcodes.close);
    if (close === undefined) return 1006;
    return close.payload.length >= 2 ? close.payload.readUInt16BE(0) : 1005;
  }

  /** Payloads of the server's frames with this opcode. */
  payloads(opcode: number): Buffer[] {
    return this.frames.filter((frame) => frame.opcode === opcode).map(({ payload }) => payload);
  }

  close(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.head === "") {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.head = this.#rest.toString("latin1", 0, end);
      this.#rest = this.#rest.subarray(end + 4);
    }
    const { frames, rest } = readServerFrames(this.#rest);
    this.frames.push(...frames);
    this.#rest = rest;
    this.#wake();
  }

  #wake(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}
