import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  HeartbeatRequestSchema,
  HeartbeatResponseSchema,
  HelloRequestSchema,
  HelloResponseSchema,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { decodePacketBatch, encodePacketBatch, type Packet } from "@chappe/mesh/codec/packet.ts";
import { noBytes } from "@chappe/mesh/rpc/call.ts";
import { decodeError } from "@chappe/mesh/rpc/connect-errors.ts";

/** A packet with the given fields, the others at zero. */
export function packetOf(fields: Partial<Packet>): Packet {
  return {
    kind: PacketKind.REQUEST,
    svid: 0,
    cmd: 0,
    id: 0,
    affinity: noBytes,
    timeoutMs: 0,
    traceContext: noBytes,
    payload: noBytes,
    ...fields,
  };
}

/** Name in the error registry when the packet is an ERROR. */
export function errorName(packet: Packet): string | undefined {
  return packet.kind === PacketKind.ERROR ? decodeError(packet.payload).row.name : undefined;
}

/** Hello, from device 1 unless told otherwise. */
export function helloPacket(id: number, init: MessageInitShape<typeof HelloRequestSchema>): Packet {
  const payload = toBinary(HelloRequestSchema, create(HelloRequestSchema, { deviceId: 1n, ...init }));
  return packetOf({ svid: 1, cmd: 1, id, payload });
}

/** A client on the runtime's own WebSocket that writes down all it gets. */
export class LoginClient {
  readonly socket: WebSocket;
  /** Frames as they came. */
  readonly frames: Packet[][] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly opened: Promise<void>;
  #nextId = 100;
  #watchers: (() => void)[] = [];

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve, reject) => {
      this.socket.addEventListener("open", () => resolve(), { once: true });
      this.socket.addEventListener("error", () => reject(new Error("no connection")), { once: true });
    });
    this.opened.catch(() => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.addEventListener("close", ({ code, reason }) => {
        resolve({ code, reason });
        this.#wake();
      });
    });
    this.socket.addEventListener("message", ({ data }) => {
      this.frames.push(decodePacketBatch(new Uint8Array(data as ArrayBuffer)));
      this.#wake();
    });
  }

  get packets(): Packet[] {
    return this.frames.flat();
  }

  pushes(cmd: number): Packet[] {
    return this.packets.filter((packet) => packet.kind === PacketKind.PUSH && packet.cmd === cmd);
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.send(Uint8Array.from(bytes));
  }

  send(...packets: Packet[]): void {
    this.sendBytes(encodePacketBatch(packets));
  }

  /** The first packet, past or future, that fits; rejects when the connection closes first. */
  async packet(fits: (packet: Packet) => boolean): Promise<Packet> {
    for (;;) {
      const found = this.packets.find(fits);
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("closed before the packet came");
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Sends a REQUEST; the answer, RESPONSE or ERROR. */
  async call(fields: Partial<Packet>): Promise<Packet> {
    const id = this.#nextId++;
    this.send(packetOf({ ...fields, id }));
    return this.packet((packet) => packet.id === id);
  }

  /** Says Hello; the answer. */
  async hello(init: MessageInitShape<typeof HelloRequestSchema>): Promise<Packet> {
    await this.opened;
    return this.call(helloPacket(0, init));
  }

  /** Says Hello and reads the welcome; throws on a refusal. */
  async signIn(init: MessageInitShape<typeof HelloRequestSchema>) {
    const answer = await this.hello(init);
    if (answer.kind !== PacketKind.RESPONSE) throw new Error(`Hello was refused: ${errorName(answer)}`);
    return fromBinary(HelloResponseSchema, answer.payload);
  }

  /** Sends a heartbeat; the answer. */
  heartbeat(token = ""): Promise<Packet> {
    const payload = toBinary(HeartbeatRequestSchema, create(HeartbeatRequestSchema, { token }));
    return this.call({ svid: 1, cmd: 2, payload });
  }

  /** Sends a heartbeat that must succeed. */
  async beat() {
    return fromBinary(HeartbeatResponseSchema, (await this.heartbeat()).payload);
  }

  #wake(): void {
    for (const watcher of this.#watchers.splice(0)) watcher();
  }
}
