import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { encodeClientFrame, FrameReader, opcodes } from "./websocket-frame.ts";

const handshakeTimeoutMs = 20_000;
const maxHandshakeBytes = 8 * 1024;
const readBufferBytes = 64 * 1024;

/** A buffer in which the reads of many sockets may land: each read is taken in before the next. */
export const createReadBuffer = (): Buffer => Buffer.allocUnsafeSlow(readBufferBytes);

/** A WebSocket in as few steps as can be: binary messages, no fragments, no extensions. */
export interface RawSocket {
  /** Sends one message at once. */
  send(payload: Uint8Array): void;
  /** Ends the connection without a closing handshake, as a lost network does. */
  destroy(): void;
}

/** How to open a RawSocket. */
export interface RawSocketOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Where reads land; see createReadBuffer. */
  readonly readBuffer: Buffer;
  /** A message is in `buffer` from `start` to `end`, valid during the call only. */
  readonly onMessage: (buffer: Buffer, start: number, end: number) => void;
  /** Once, after opening: the close code (1006 without one) and a text. */
  readonly onClose: (code: number, reason: string) => void;
}

class Handshake {
  readonly #key = randomBytes(16).toString("base64");
  #received = Buffer.alloc(0);

  request({ host, port, path }: RawSocketOptions): string {
    return (
      `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${this.#key}\r\nSec-WebSocket-Version: 13\r\n\r\n`
    );
  }

  /** The bytes after a good answer, undefined while it is not whole. Throws when the upgrade was refused. */
  push(chunk: Buffer): Buffer | undefined {
    this.#received = Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0 && this.#received.length < maxHandshakeBytes) return undefined;
    const head = this.#received.subarray(0, Math.max(end, 0)).toString("latin1");
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`no upgrade: ${head.split("\r\n", 1)[0]}`);
    return this.#received.subarray(end + 4);
  }
}

/** Connects and upgrades. Rejects when that fails or takes more than 20 s. */
export function openRawSocket(options: RawSocketOptions): Promise<RawSocket> {
  const mask = randomBytes(4);
  return new Promise((resolve, reject) => {
    let open = false;
    let closeCode = 1006;
    let closeReason = "";
    const handshake = new Handshake();
    const reader = new FrameReader((opcode, buffer, start, end) => {
      if (opcode === opcodes.binary) options.onMessage(buffer, start, end);
      else if (opcode === opcodes.ping)
        socket.write(encodeClientFrame(opcodes.pong, buffer.subarray(start, end), mask));
      else if (opcode === opcodes.close && end - start >= 2) {
        closeCode = buffer.readUInt16BE(start);
        closeReason = buffer.toString("utf8", start + 2, end);
      }
    });
    const onBytes = (bytes: Buffer): void => {
      if (open) {
        reader.push(bytes);
        return;
      }
      const rest = handshake.push(bytes);
      if (rest === undefined) return;
      open = true;
      clearTimeout(timer);
      resolve({
        send: (payload) => socket.write(encodeClientFrame(opcodes.binary, payload, mask)),
        destroy: () => socket.destroy(),
      });
      if (rest.length > 0) reader.push(rest);
    };
    const socket: Socket = connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      onread: {
        buffer: options.readBuffer,
        callback: (bytes, buffer) => {
          try {
            onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          } catch (error) {
            socket.destroy(error instanceof Error ? error : new Error(String(error)));
          }
          return true;
        },
      },
    });
    const timer = setTimeout(
      () => socket.destroy(new Error("the WebSocket upgrade took too long")),
      handshakeTimeoutMs,
    );
    let failure: Error | undefined;
    socket.once("connect", () => socket.write(handshake.request(options)));
    socket.once("error", (error) => {
      failure = error;
    });
    socket.once("end", () => socket.destroy());
    socket.once("close", () => {
      clearTimeout(timer);
      if (open) options.onClose(closeCode, closeReason || (failure?.message ?? ""));
      else reject(failure ?? new Error("the server closed during the upgrade"));
    });
  });
}
