import { randomBytes } from "node:crypto";
import { AckSweeper } from "./ack-sweeper.ts";
import { ByteWriter } from "./byte-writer.ts";
import { addresses, encodeAck, encodeRequest, forEachPacket, PacketView, packetKinds } from "./packets.ts";
import { ProtoReader } from "./proto-reader.ts";
import { createReadBuffer, openRawSocket, type RawSocket, type RawSocketOptions } from "./raw-socket.ts";
import { websocketPath } from "./start-server.ts";
import { TurnFlusher } from "./turn-flusher.ts";

const helloTimeoutMs = 20_000;
/** A frame is sent when it holds so much, below the server's limits (256 packets, 64 KiB). */
const maxFramePackets = 200;
const maxFrameBytes = 48 * 1024;
const helloCallId = 1;

/** What the connections of one process share. */
export interface ConnectionPool {
  readonly flusher: TurnFlusher;
  readonly acks: AckSweeper;
  readonly readBuffer: Buffer;
  close(): void;
}

/** A pool; one per process is enough. */
export function createConnectionPool(): ConnectionPool {
  const acks = new AckSweeper();
  return { flusher: new TurnFlusher(), acks, readBuffer: createReadBuffer(), close: () => acks.close() };
}

/** Called for every packet after the welcome; packet and buffer are valid during the call only. */
export type OnPacket = (packet: PacketView, buffer: Buffer) => void;

/** Whom a connection's frames, and its end, are told. */
export type FrameEvents = Pick<RawSocketOptions, "onMessage" | "onClose">;

/** Opens a way for frames. */
export type OpenFrames = (events: FrameEvents) => Promise<Pick<RawSocket, "send" | "destroy">>;

/** How to open a MeshConnection. */
export interface MeshConnectionOptions {
  readonly pool: ConnectionPool;
  readonly port: number;
  readonly token: string;
  /** @default random */
  readonly deviceId?: bigint;
  /** Opens what carries the frames. @default a WebSocket to `port` */
  readonly openSocket?: OpenFrames;
  readonly onPacket: OnPacket;
  /** Once, when a welcomed connection ends. */
  readonly onClose: (code: number, reason: string) => void;
}

/** A connection with the protocol's framing and acknowledgements, and nothing else. */
export class MeshConnection {
  /** Server's clock minus this machine's, in milliseconds. */
  clockOffsetMs = 0;
  readonly #options: MeshConnectionOptions;
  readonly #view = new PacketView();
  readonly #received = new Map<string, { id: Uint8Array; seq: number }>();
  #socket: Pick<RawSocket, "send" | "destroy"> | undefined;
  #batch: ByteWriter | undefined;
  #packets = 0;
  #welcome: ((error?: Error) => void) | undefined;
  #closed = false;

  constructor(options: MeshConnectionOptions) {
    this.#options = options;
  }

  /** Connects and says Hello. Rejects when the server refuses or takes more than 20 s; the socket is gone then. */
  async open(): Promise<void> {
    const { pool, port } = this.#options;
    const welcomed = Promise.withResolvers<void>();
    this.#welcome = (error) => (error === undefined ? welcomed.resolve() : welcomed.reject(error));
    welcomed.promise.catch(() => {});
    const timer = setTimeout(() => this.#welcome?.(new Error("no welcome in time")), helloTimeoutMs);
    try {
      const openWebSocket: OpenFrames = (events) =>
        openRawSocket({ host: "127.0.0.1", port, path: websocketPath, readBuffer: pool.readBuffer, ...events });
      this.#socket = await (this.#options.openSocket ?? openWebSocket)({
        onMessage: (buffer, start, end) =>
          forEachPacket(buffer, start, end, this.#view, (packet) => this.#take(packet, buffer)),
        onClose: (code, reason) => this.#onClose(code, reason),
      });
      this.append(encodeRequest(addresses.hello, helloCallId, this.#hello()));
      await welcomed.promise;
    } catch (error) {
      this.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #hello(): Buffer {
    const { token, deviceId } = this.#options;
    const device = deviceId ?? randomBytes(8).readBigUInt64BE() | 1n;
    return new ByteWriter(1_024).bytes(1, Buffer.from(token)).fixed64(2, device).number(3, 3).finish();
  }

  /** Puts an encoded packet into the frame that goes out at the end of this turn. */
  append(packet: Uint8Array): void {
    if (this.#closed) return;
    this.#batch ??= new ByteWriter();
    const full = this.#packets === maxFramePackets || this.#batch.length + packet.length > maxFrameBytes;
    if (full && this.#batch.length > 0) this.#write();
    if (this.#packets++ === 0) this.#options.pool.flusher.mark(this);
    this.#batch.bytes(1, packet);
  }

  /** Sends what append has gathered. Called by the pool. */
  flush(): void {
    if (this.#packets > 0 && !this.#closed) this.#write();
    this.#packets = 0;
  }

  #write(): void {
    this.#socket?.send(this.#batch!.view());
    this.#batch!.clear();
    // Stays above zero until the turn ends, so that the connection is marked once.
    this.#packets = 1;
  }

  /** Everything up to `seq` has arrived; the acknowledgement goes out by the SDK's rule. */
  acknowledge(key: string, conversationId: Uint8Array, seq: number, nowMs: number): void {
    const known = this.#received.get(key);
    if (known === undefined) this.#received.set(key, { id: Uint8Array.from(conversationId), seq });
    else if (seq > known.seq) known.seq = seq;
    else return;
    this.#options.pool.acks.owe(this, nowMs);
  }

  /** Called by the pool. */
  sendAck(): void {
    const list = [...this.#received.values()].map(({ id, seq }) => [id, seq] as const);
    this.#received.clear();
    for (let at = 0; at < list.length; at += 64) this.append(encodeAck(list.slice(at, at + 64)));
  }

  /** Ends the connection without a word. */
  destroy(): void {
    this.#closed = true;
    this.#options.pool.acks.forget(this);
    this.#socket?.destroy();
  }

  #take(packet: PacketView, buffer: Buffer): void {
    if (this.#welcome === undefined) {
      this.#options.onPacket(packet, buffer);
      return;
    }
    if (packet.kind === packetKinds.push) return;
    const welcome = this.#welcome;
    this.#welcome = undefined;
    if (packet.kind !== packetKinds.response) {
      welcome(new Error(`Hello was refused: ${describeError(packet, buffer)}`));
      return;
    }
    const reader = new ProtoReader().reset(buffer, packet.start, packet.end);
    while (reader.next()) if (reader.field === 3) this.clockOffsetMs = reader.value - Date.now();
    welcome();
  }

  #onClose(code: number, reason: string): void {
    const wasOurs = this.#closed;
    this.#closed = true;
    this.#options.pool.acks.forget(this);
    if (this.#welcome !== undefined) this.#welcome(new Error(`closed before the welcome (${code} ${reason})`));
    else if (!wasOurs) this.#options.onClose(code, reason);
  }
}

/** Name and text of an ERROR packet. */
export function describeError(packet: PacketView, buffer: Buffer): string {
  const reader = new ProtoReader().reset(buffer, packet.start, packet.end);
  const words: string[] = [];
  while (reader.next()) if (reader.field === 2 || reader.field === 4) words.push(reader.bytes().toString("utf8"));
  return words.join(": ");
}
