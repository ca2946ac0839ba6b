import { type CloseName, type CloseRow, type ErrorName, errorRegistry } from "@chappe/gen/errors.ts";
import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import type { Packet } from "@chappe/mesh/codec/packet.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { svidOf } from "@chappe/mesh/rpc/contracts.ts";
import { errorPacket } from "./session-packets.ts";

const svid = svidOf(EdgeService);

const errorNames: Partial<Record<CloseName, ErrorName>> = {
  GOING_AWAY: "UNAVAILABLE",
  BAD_FRAME: "MALFORMED_FRAME",
  HELLO_TIMEOUT: "DEADLINE_EXCEEDED",
  HELLO_EXPECTED: "WRONG_STATE",
  REPLACED: "WRONG_STATE",
  SLOW_CLIENT: "OVERLOADED",
  HEARTBEAT_TIMEOUT: "DEADLINE_EXCEEDED",
};

/** Why a connection is closed, as an error. */
export function closeError(close: CloseRow): ChappeError {
  const name = errorNames[close.name as CloseName] ?? (close.name in errorRegistry ? close.name : "UNAVAILABLE");
  return new ChappeError(name as ErrorName, close.text);
}

/** The last packet where a transport has no close code of its own: an ERROR with id 0, svid 2 and the close code as cmd. */
export function closingPacket(close: CloseRow): Packet {
  return { ...errorPacket(0, closeError(close)), svid, cmd: close.code };
}
