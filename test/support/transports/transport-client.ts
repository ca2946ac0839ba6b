import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  HeartbeatRequestSchema,
  HelloRequestSchema,
  HelloResponseSchema,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { createPacket, decodePacketBatch, encodePacketBatch, type Packet } from "@chappe/mesh/codec/packet.ts";
import { decodeError } from "@chappe/mesh/rpc/connect-errors.ts";

/** One connection of any transport: bytes of frames in and out. */
export interface ClientWire {
  /** Sends the bytes of one frame. */
  sendFrame(frame: Uint8Array): void;
  /** Stops reading from the network; what comes is left to wait. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** Whom a wire tells. */
export interface WireEvents {
  onFrame(frame: Uint8Array): void;
  /** The connection is closed; `code` when the transport has close codes of its own. */
  onClosed(code?: number): void;
}

/** Opens a connection of one transport. */
export type OpenWire = (events: WireEvents) => Promise<ClientWire>;

const waitMs = 10_000;

/** A client of any transport that writes down all it gets. */
export class TransportClient {
  readonly packets: Packet[] = [];
  /** Settles with the close code; 0 = the server gave none. */
  readonly closed: Promise<number>;
  isClosed = false;
  #wire: ClientWire | undefined;
  #watchers: (() => void)[] = [];
  #nextId = 100;
  #onClosed: (code: number) => void = () => undefined;

  private constructor() {
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
  }

  /** Opens a connection; nothing is said yet. */
  static async open(openWire: OpenWire): Promise<TransportClient> {
    const client = new TransportClient();
    client.#wire = await openWire({
      onFrame(frame) {
        client.packets.push(...decodePacketBatch(frame));
        client.#wake();
      },
      onClosed(code) {
        client.isClosed = true;
        const last = client.packets.at(-1);
        const isFarewell = last?.kind === PacketKind.ERROR && last.id === 0 && last.svid === 2;
        client.#onClosed(code ?? (isFarewell ? last.cmd : 0));
        client.#wake();
      },
    });
    return client;
  }

  get wire(): ClientWire {
    return this.#wire!;
  }

  send(...packets: Partial<Packet>[]): void {
    this.wire.sendFrame(encodePacketBatch(packets.map(createPacket)));
  }

  sendBytes(frame: Uint8Array): void {
    this.wire.sendFrame(frame);
  }

  /** The first packet, past or future, that fits. */
  async packet(fits: (packet: Packet) => boolean): Promise<Packet> {
    const deadline = AbortSignal.timeout(waitMs);
    for (;;) {
      const found = this.packets.find(fits);
      if (found !== undefined) return found;
      if (this.isClosed) throw new Error("closed before the packet came");
      await new Promise<void>((resolve, reject) => {
        this.#watchers.push(resolve);
        deadline.addEventListener("abort", () => reject(new Error("no such packet came")), { once: true });
      });
    }
  }

  pushes(cmd: number): Packet[] {
    return this.packets.filter((packet) => packet.kind === PacketKind.PUSH && packet.cmd === cmd);
  }

  /** Sends a REQUEST; the answer, RESPONSE or ERROR. */
  call(fields: Partial<Packet>): Promise<Packet> {
    const id = this.#nextId++;
    this.send({ kind: PacketKind.REQUEST, ...fields, id });
    return this.packet((packet) => packet.id === id);
  }

  hello(init: MessageInitShape<typeof HelloRequestSchema>): Promise<Packet> {
    const payload = toBinary(HelloRequestSchema, create(HelloRequestSchema, { deviceId: 1n, ...init }));
    return this.call({ svid: 1, cmd: 1, payload });
  }

  /** Says Hello and reads the welcome; throws on a refusal. */
  async signIn(init: MessageInitShape<typeof HelloRequestSchema>) {
    const answer = await this.hello(init);
    if (answer.kind !== PacketKind.RESPONSE) throw new Error(`Hello was refused: ${this.errorOf(answer)}`);
    return fromBinary(HelloResponseSchema, answer.payload);
  }

  heartbeat(token = ""): Promise<Packet> {
    const payload = toBinary(HeartbeatRequestSchema, create(HeartbeatRequestSchema, { token }));
    return this.call({ svid: 1, cmd: 2, payload });
  }

  /** Name in the error registry when the packet is an ERROR. */
  errorOf(packet: Packet): string | undefined {
    return packet.kind === PacketKind.ERROR ? decodeError(packet.payload).row.name : undefined;
  }

  close(): void {
    this.#wire?.close();
  }

  #wake(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}
