import { connect, type Socket } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { HelloResponseSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { decodePacketBatch, encodePacketBatch, type Packet } from "@chappe/mesh/codec/packet.ts";
import { helloPacket, packetOf } from "./login-client.ts";

/** One masked binary frame (key 0, so that the bytes stay as they are). */
export function maskedFrame(payload: Uint8Array): Buffer {
  const header =
    payload.length < 126
      ? Buffer.from([0x82, 0x80 | payload.length])
      : Buffer.from([0x82, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([header, Buffer.alloc(4), payload]);
}

/** A client on a bare TCP socket, which can stop reading: no WebSocket API can. */
export class SlowClient {
  readonly packets: Packet[] = [];
  readonly closeCode: Promise<number>;
  connectionId = 0n;
  readonly #socket: Socket;
  #buffer: Buffer = Buffer.alloc(0);
  #onClose: (code: number) => void = () => undefined;
  #watchers: (() => void)[] = [];
  #nextId = 100;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closeCode = new Promise((resolve) => {
      this.#onClose = resolve;
    });
  }

  /** Connects and says Hello. */
  static async signIn(port: number, token: string): Promise<SlowClient> {
    const socket = connect(port, "127.0.0.1");
    const client = new SlowClient(socket);
    socket.write(
      `GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await new Promise<void>((resolve, reject) => {
      socket.once("data", () => resolve());
      socket.once("error", reject);
    });
    socket.on("data", (data: Buffer) => client.#onData(data));
    socket.on("error", () => undefined);
    socket.write(maskedFrame(encodePacketBatch([helloPacket(1, { token })])));
    const welcome = await client.packet((packet) => packet.id === 1);
    client.connectionId = fromBinary(HelloResponseSchema, welcome.payload).connectionId;
    return client;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  call(fields: Partial<Packet>): Promise<Packet> {
    const id = this.#nextId++;
    this.#socket.write(maskedFrame(encodePacketBatch([packetOf({ ...fields, id })])));
    return this.packet((packet) => packet.id === id);
  }

  async packet(fits: (packet: Packet) => boolean): Promise<Packet> {
    for (;;) {
      const found = this.packets.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  #onData(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data]);
    while (this.#takeFrame());
    for (const watcher of this.#watchers.splice(0)) watcher();
  }

  #takeFrame(): boolean {
    const buffer = this.#buffer;
    if (buffer.length < 2) return false;
    let length = buffer[1]! & 0x7f;
    let at = 2;
    if (length === 126) {
      if (buffer.length < 4) return false;
      length = buffer.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (buffer.length < 10) return false;
      length = Number(buffer.readBigUInt64BE(2));
      at = 10;
    }
    if (buffer.length < at + length) return false;
    const payload = buffer.subarray(at, at + length);
    this.#buffer = buffer.subarray(at + length);
    if ((buffer[0]! & 0x0f) === 8) {
      this.#onClose(payload.readUInt16BE(0));
      this.#socket.end();
    } else this.packets.push(...decodePacketBatch(payload));
    return true;
  }
}
