import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";

/** A hop that a client tells of. */
export type ClientHop = typeof Hop.CLIENT_SEND | typeof Hop.DEVICE_RECEIVE;

/** Whether a client tells of it. */
export function isClientHop(hop: number): hop is ClientHop {
  return hop === Hop.CLIENT_SEND || hop === Hop.DEVICE_RECEIVE;
}

/** What a client says of one message. */
export interface ClientSpanFields {
  readonly hop: ClientHop;
  readonly clientMessageId: Uint8Array;
  /** Unix milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
}
