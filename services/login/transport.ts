import type { CloseRow } from "@chappe/gen/errors.ts";
import { encodeBatchedPacket, type Packet } from "@chappe/mesh/codec/packet.ts";

/** One packet encoded once for many connections: a ready piece of a PacketBatch. */
export class SharedPacket {
  /** Tag, length and packet. */
  readonly bytes: Uint8Array;
  /** Whether it carries message bodies, which a slow client may miss and pull later. */
  readonly hasBodies: boolean;
  /** The transport's memo of a whole frame with this packet alone. One framing a process may use it. */
  frame: Buffer | undefined = undefined;

  constructor(packet: Packet, hasBodies: boolean) {
    this.bytes = encodeBatchedPacket(packet);
    this.hasBodies = hasBodies;
  }
}

/** What a session gives to a transport: a packet still to be encoded, or one encoded for many. */
export type Outgoing = Packet | SharedPacket;

/** How a client may be connected. */
export type TransportKind = "webSocket" | "tcp" | "udp" | "grpc" | "connect";

/**
 * Bytes out of a session. The transport calls `session.onFrame` for each frame that comes in and
 * `session.onTransportClosed` once at the end.
 */
export interface Transport {
  /** What operators call it. */
  readonly kind: TransportKind;
  /**
   * Writes one frame: the PacketBatch of `first` and `rest`, `batchBytes` long. One write to the socket; never waits.
   * False = more is waiting than the socket likes, and `onceDrained` will call back.
   */
  writeFrame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): boolean;
  /** Bytes given to the socket and not taken by it yet. */
  readonly waitingBytes: number;
  /** Bytes ever given to the socket. */
  readonly givenBytes: number;
  /** Calls back once when everything waiting has been taken. */
  onceDrained(listener: () => void): void;
  /** Says why and closes; what was written before still goes out, within limits.closeTimeoutMs. */
  end(close: CloseRow): void;
}
