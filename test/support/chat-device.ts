import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { DeliveryAckSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { MessageArrivedSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { messageId } from "./http-user.ts";
import { openSession, type SocketClient, takeEvent } from "./socket-client.ts";

/** How a message is sent. */
export interface SendOptions {
  readonly traceContext?: string;
  /** Its id says that it is so old. */
  readonly ageMs?: number;
}

/** A device over the bare protocol that sends and acknowledges. */
export interface ChatDevice {
  readonly socket: SocketClient;
  /** Sends a text; answers its id, in hexadecimal, once it is acknowledged. Rejects when it is refused. */
  send(conversationId: string, options?: SendOptions): Promise<string>;
  /** Takes messages up to the one with this id and acknowledges them, each event by itself. */
  receive(id: string, options?: { traceContext?: string; afterMs?: number }): Promise<void>;
}

let lastId = 100;

/** Opens a session of a user; ids as in JSON are base64. */
export async function openDevice(url: string, token: string, deviceId = 1n): Promise<ChatDevice> {
  const socket = await openSession(url, token, deviceId);
  const contextOf = (text: string | undefined) => ({ traceContext: Buffer.from(text ?? "", "latin1") });
  return {
    socket,
    async send(conversationId, { traceContext, ageMs = 0 } = {}) {
      const clientMessageId = Buffer.from(messageId(ageMs), "base64");
      const content = { kind: { case: "text" as const, value: { text: "hello" } } };
      const request = {
        conversationId: Buffer.from(conversationId, "base64"),
        messages: [{ clientMessageId, content }],
      };
      const payload = toBinary(SendRequestSchema, create(SendRequestSchema, request));
      const id = ++lastId;
      socket.send({ kind: PacketKind.REQUEST, svid: 10, cmd: 1, id, payload, ...contextOf(traceContext) });
      const answer = await socket.take((packet) => packet.id === id);
      if (answer.kind !== PacketKind.RESPONSE)
        throw Object.assign(new Error("refused"), { messageId: clientMessageId });
      return clientMessageId.toString("hex");
    },
    async receive(id, { traceContext, afterMs = 0 } = {}) {
      for (let found = false; !found; ) {
        const { conversationId, messages } = await takeEvent(socket, MessageArrivedSchema, 10, 101);
        found = messages.some(({ clientMessageId }) => Buffer.from(clientMessageId).toString("hex") === id);
        if (found && afterMs > 0) await sleep(afterMs);
        const acks = [{ conversationId, seq: messages.at(-1)!.seq }];
        const payload = toBinary(DeliveryAckSchema, create(DeliveryAckSchema, { acks }));
        socket.send({ kind: PacketKind.ACK, payload, ...contextOf(traceContext) });
      }
    },
  };
}
