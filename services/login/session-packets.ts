import { create, toBinary } from "@bufbuild/protobuf";
import type { CloseRow } from "@chappe/gen/errors.ts";
import {
  DrainSchema,
  HeadHintSchema,
  KickedSchema,
  SpanWantedSchema,
  type UnackedHead,
  UnackedHeadSchema,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import type { Packet } from "@chappe/mesh/codec/packet.ts";
import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import { noBytes } from "@chappe/mesh/rpc/call.ts";
import { encodeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import type { UnackedTail } from "./tail.ts";

const headHint = eventAddress(HeadHintSchema);
const kicked = eventAddress(KickedSchema);
const spanWanted = eventAddress(SpanWantedSchema);
const drain = eventAddress(DrainSchema);

function packetOf(
  kind: number,
  svid: number,
  cmd: number,
  id: number,
  payload: Uint8Array,
  traceContext = noBytes,
): Packet {
  return { kind, svid, cmd, id, affinity: noBytes, timeoutMs: 0, traceContext, payload };
}

/** The answer to a call. */
export function responsePacket(id: number, payload: Uint8Array): Packet {
  return packetOf(PacketKind.RESPONSE, 0, 0, id, payload);
}

/** The refusal of a call, or of the connection when `id` is 0. */
export function errorPacket(id: number, error: unknown): Packet {
  return packetOf(PacketKind.ERROR, 0, 0, id, encodeError(error));
}

/** A server event. */
export function pushPacket(svid: number, cmd: number, payload: Uint8Array, traceContext = noBytes): Packet {
  return packetOf(PacketKind.PUSH, svid, cmd, 0, payload, traceContext);
}

/** Heads as the wire names them. */
export function unackedHeads(tails: readonly UnackedTail[]): UnackedHead[] {
  return tails.map(({ conversationKey, seq }) =>
    create(UnackedHeadSchema, { conversationId: conversationIdOfKey(conversationKey), seq: BigInt(seq) }),
  );
}

/** Tells the client to compare and pull. */
export function headHintPacket(tails: readonly UnackedTail[], compareHeads: boolean): Packet {
  const hint = create(HeadHintSchema, { unacked: unackedHeads(tails), compareHeads });
  return pushPacket(headHint.svid, headHint.cmd, toBinary(HeadHintSchema, hint));
}

/** Asks the client for its span of a message. */
export function spanWantedPacket(clientMessageId: Uint8Array): Packet {
  const event = create(SpanWantedSchema, { clientMessageId });
  return pushPacket(spanWanted.svid, spanWanted.cmd, toBinary(SpanWantedSchema, event));
}

/** Tells the client why it is about to be closed. */
export function kickedPacket(close: CloseRow, reason: string): Packet {
  const event = create(KickedSchema, { closeCode: close.code, reason: reason === "" ? close.text : reason });
  return pushPacket(kicked.svid, kicked.cmd, toBinary(KickedSchema, event));
}

/** Tells the client when to come back. */
export function drainPacket(reconnectAfterMs: number): Packet {
  return pushPacket(drain.svid, drain.cmd, toBinary(DrainSchema, create(DrainSchema, { reconnectAfterMs })));
}
