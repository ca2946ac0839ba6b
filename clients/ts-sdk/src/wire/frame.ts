import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Packet,
  PacketBatchSchema,
  type PacketKind,
  PacketSchema,
} from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";

/** A packet to send. */
export interface OutgoingPacket {
  readonly kind: PacketKind;
  readonly svid: number;
  readonly cmd: number;
  readonly id: number;
  readonly payload: Uint8Array;
  readonly affinity?: Uint8Array;
  readonly timeoutMs?: number;
  readonly traceContext?: Uint8Array;
}

/** More than the largest encoding of a packet's numbers and length prefixes. */
const packetOverheadBytes = 48;

/** An upper bound of the packet's share of a frame, in bytes. */
export function packetSizeBytes(packet: OutgoingPacket): number {
  const extra = (packet.affinity?.byteLength ?? 0) + (packet.traceContext?.byteLength ?? 0);
  return packet.payload.byteLength + extra + packetOverheadBytes;
}

/** One WebSocket message. */
export function encodeFrame(packets: readonly OutgoingPacket[]): Uint8Array<ArrayBuffer> {
  return toBinary(
    PacketBatchSchema,
    create(PacketBatchSchema, { packets: packets.map((p) => create(PacketSchema, p)) }),
  );
}

/** The packets of one WebSocket message. Throws when it is not a PacketBatch. */
export function decodeFrame(bytes: Uint8Array): readonly Packet[] {
  return fromBinary(PacketBatchSchema, bytes).packets;
}
