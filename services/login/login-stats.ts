import type { TransportKind } from "./transport.ts";

/** Counters of a Login process since its start; `connections` is a gauge. */
export interface LoginStats {
  connections: number;
  /** The same by transport; a gauge too. */
  readonly connectionsBy: Record<TransportKind, number>;
  accepted: number;
  /** Upgrades refused: draining, full or a foreign origin. */
  refused: number;
  framesIn: number;
  framesOut: number;
  packetsIn: number;
  packetsOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Pushes asked for, per connection. */
  pushes: number;
  /** Pushes for connections that are not here. */
  pushesGone: number;
  /** Message bodies not sent to slow clients. */
  pushesDropped: number;
  hintsSent: number;
  receiptsReported: number;
  receiptsDropped: number;
  /** Connections ended by the server, by the name of the close code; CLIENT = ended by the other side. */
  readonly closes: Record<string, number>;
}

/** Counters at zero. */
export function createLoginStats(): LoginStats {
  return {
    connections: 0,
    connectionsBy: { webSocket: 0, tcp: 0, udp: 0, grpc: 0, connect: 0 },
    accepted: 0,
    refused: 0,
    framesIn: 0,
    framesOut: 0,
    packetsIn: 0,
    packetsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    pushes: 0,
    pushesGone: 0,
    pushesDropped: 0,
    hintsSent: 0,
    receiptsReported: 0,
    receiptsDropped: 0,
    closes: {},
  };
}
