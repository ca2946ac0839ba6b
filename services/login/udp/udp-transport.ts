import type { CloseRow } from "@chappe/gen/errors.ts";
import { packetSize } from "@chappe/mesh/codec/packet.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import type { AddressTicket } from "../address-limits.ts";
import { closingPacket } from "../closing-packet.ts";
import { DelayedCall } from "../delayed-call.ts";
import type { LoginDoor } from "../login-door.ts";
import type { Session } from "../session.ts";
import type { Outgoing, Transport } from "../transport.ts";
import type { FrameWriter } from "../web-socket/frame-writer.ts";
import { counterOf, openDatagram, sealDatagram } from "./datagrams.ts";
import { chunkFlags, ReliableChannel } from "./reliable-channel.ts";
import { ReplayWindow } from "./replay-window.ts";

/** Where datagrams come from and go to. */
export interface UdpPath {
  readonly address: string;
  readonly port: number;
}

/** What a UdpTransport stands on. */
export interface UdpTransportOptions {
  readonly door: LoginDoor;
  readonly ticket: AddressTicket;
  readonly writer: FrameWriter;
  readonly ticketId: Uint8Array;
  readonly key: Uint8Array;
  readonly path: UdpPath;
  readonly send: (datagram: Buffer, path: UdpPath) => void;
  /** Called once; nothing is sent from then on. */
  readonly onClosed: () => void;
}

/** Datagrams under one key as a transport. It ends with an ERROR packet that says why, in a chunk with the close flag. */
export class UdpTransport implements Transport {
  readonly kind = "udp";
  readonly #options: UdpTransportOptions;
  readonly #session: Session;
  readonly #channel: ReliableChannel;
  readonly #replay = new ReplayWindow();
  #path: UdpPath;
  #counter = 0n;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #drained: (() => void) | undefined = undefined;
  #closing: DelayedCall | undefined = undefined;
  #closed = false;

  constructor(options: UdpTransportOptions) {
    this.#options = options;
    this.#path = options.path;
    const { door, ticket, key, ticketId, send } = options;
    this.#channel = new ReliableChannel({
      wheel: door.wheel,
      transmit: (plaintext) => send(sealDatagram(key, "down", ticketId, this.#counter++, plaintext), this.#path),
      onChunk: (flags, data) => this.#onChunk(flags, data),
      onDrained: () => this.#onDrained(),
      onLost: () => this.#onLost(),
    });
    this.#session = door.openSession(this, ticket);
  }

  /** Takes a DATA datagram; forged and repeated ones change nothing. */
  receive(datagram: Buffer, path: UdpPath): void {
    const counter = counterOf(datagram);
    if (!this.#replay.isFresh(counter)) return;
    const plaintext = openDatagram(this.#options.key, "up", datagram);
    if (plaintext === undefined) return;
    // A client behind an address translator may move; an old datagram must not pull it back.
    if (this.#replay.take(counter)) this.#path = path;
    this.#channel.receive(plaintext);
  }

  get waitingBytes(): number {
    return this.#channel.waitingBytes;
  }

  get givenBytes(): number {
    return this.#channel.givenBytes;
  }

  writeFrame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): boolean {
    if (this.#closed || this.#closing !== undefined) return true;
    this.#channel.sendFrame(this.#options.writer.frame(first, rest, batchBytes));
    return this.#channel.waitingBytes <= this.#options.door.limits.streamHighWaterBytes;
  }

  onceDrained(listener: () => void): void {
    this.#drained = listener;
  }

  end(close: CloseRow): void {
    if (this.#closed || this.#closing !== undefined) return;
    const { door, writer } = this.#options;
    const packet = closingPacket(close);
    this.#closing = new DelayedCall(() => this.#dispose());
    door.wheel.schedule(this.#closing, door.limits.closeTimeoutMs);
    const frame = writer.frame(packet, undefined, delimitedSize(packetSize(packet)));
    this.#channel.sendFrame(frame, chunkFlags.close);
  }

  #onChunk(flags: number, data: Buffer): void {
    if ((flags & chunkFlags.close) !== 0) {
      this.#dispose();
      return;
    }
    if (this.#session.ended) return;
    const { maxFrameBytes, maxHelloFrameBytes } = this.#options.door.limits;
    this.#pieceBytes += data.length;
    if (this.#pieceBytes > (this.#session.isOpen ? maxFrameBytes : maxHelloFrameBytes)) {
      this.#pieces = [];
      this.#session.onFrameTooLarge();
      return;
    }
    this.#pieces.push(data);
    if ((flags & chunkFlags.endOfFrame) === 0) return;
    const frame = this.#pieces.length === 1 ? data : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#session.onFrame(frame, true);
  }

  #onDrained(): void {
    if (this.#closing !== undefined) {
      this.#dispose();
      return;
    }
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  #onLost(): void {
    this.#session.end("HEARTBEAT_TIMEOUT");
    this.#dispose();
  }

  #dispose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#channel.close();
    if (this.#closing !== undefined) this.#options.door.wheel.cancel(this.#closing);
    this.#options.onClosed();
    this.#session.onTransportClosed();
  }
}
