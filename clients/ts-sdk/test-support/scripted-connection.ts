import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type ErrorName, type ErrorRow, errorRegistry } from "@chappe/gen/errors.ts";
import { DeliveryAckSchema, HeadHintSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import {
  type Packet,
  PacketBatchSchema,
  PacketKind,
  type PacketSchema,
} from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import type { WebSocket } from "ws";
import { toHex } from "../src/ids.ts";
import { eventKey } from "../src/wire/addresses.ts";

/** An answer: the response, or an error by name. */
export type Answer =
  | { readonly payload: Uint8Array }
  | { readonly error: ErrorName; readonly retryAfterMs?: number; readonly fields?: readonly string[] };

/** One socket of the scripted server. */
export class ScriptedConnection {
  userId = 0n;
  deviceId = 0n;
  /** Conversation (hex) -> highest seq acknowledged, pushed. */
  readonly acked = new Map<string, number>();
  readonly pushed = new Map<string, number>();
  readonly ackPackets: Packet[] = [];
  /** Packets of each frame received. */
  readonly frameSizes: number[] = [];
  readonly #socket: WebSocket;
  #hintTimer: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, onRequest: (packet: Packet, connection: ScriptedConnection) => void) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const { packets } = fromBinary(PacketBatchSchema, new Uint8Array(data as Buffer));
      this.frameSizes.push(packets.length);
      for (const packet of packets) {
        if (packet.kind === PacketKind.ACK) this.#onAck(packet);
        else onRequest(packet, this);
      }
    });
    socket.on("close", () => clearTimeout(this.#hintTimer));
  }

  answer(id: number, answer: Answer): void {
    if ("payload" in answer) return this.#write({ kind: PacketKind.RESPONSE, id, payload: answer.payload });
    const row: ErrorRow = errorRegistry[answer.error];
    const violations = (answer.fields ?? []).map((field) => ({ field, rule: "test", message: "is bad" }));
    const detail = create(ErrorDetailSchema, {
      number: row.number,
      name: row.name,
      code: row.code,
      message: row.text,
      retryable: row.retryable,
      retryAfterMs: answer.retryAfterMs ?? 0,
      violations,
    });
    this.#write({ kind: PacketKind.ERROR, id, payload: toBinary(ErrorDetailSchema, detail) });
  }

  push<Desc extends DescMessage>(schema: Desc, event: MessageInitShape<Desc>): void {
    const key = eventKey(schema)!;
    const payload = toBinary(schema, create(schema, event));
    this.#write({ kind: PacketKind.PUSH, svid: Math.floor(key / 0x10000), cmd: key % 0x10000, payload });
  }

  /** The tail rule: what was pushed and is not acknowledged after a while is named once. */
  notePushed(conversationId: Uint8Array, seq: number, hintMs: number): void {
    const key = toHex(conversationId);
    this.pushed.set(key, Math.max(this.pushed.get(key) ?? 0, seq));
    this.#hintTimer ??= setTimeout(() => {
      this.#hintTimer = undefined;
      const unacked = this.unacked();
      if (unacked.length > 0) this.push(HeadHintSchema, { unacked });
    }, hintMs);
  }

  unacked(): { conversationId: Uint8Array; seq: bigint }[] {
    return [...this.pushed]
      .filter(([key, seq]) => seq > (this.acked.get(key) ?? 0))
      .map(([key, seq]) => ({ conversationId: Uint8Array.from(Buffer.from(key, "hex")), seq: BigInt(seq) }));
  }

  /** Closes with a code, or cuts the wire. */
  close(code?: number): void {
    if (code === undefined) this.#socket.terminate();
    else this.#socket.close(code);
  }

  #onAck(packet: Packet): void {
    this.ackPackets.push(packet);
    for (const { conversationId, seq } of fromBinary(DeliveryAckSchema, packet.payload).acks) {
      const key = toHex(conversationId);
      this.acked.set(key, Math.max(this.acked.get(key) ?? 0, Number(seq)));
    }
  }

  #write(packet: MessageInitShape<typeof PacketSchema>): void {
    if (this.#socket.readyState === 1)
      this.#socket.send(toBinary(PacketBatchSchema, create(PacketBatchSchema, { packets: [packet] })));
  }
}
