import type { Socket } from "node:net";
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
import { type FrameSink, TcpFrames } from "./tcp-frames.ts";

/** A TCP connection as a transport: frames with their length before them. It ends with an ERROR that says why, then FIN. */
export class TcpTransport implements Transport, FrameSink {
  readonly kind = "tcp";
  readonly #socket: Socket;
  readonly #door: LoginDoor;
  readonly #writer: FrameWriter;
  readonly #frames = new TcpFrames();
  readonly #session: Session;

  constructor(socket: Socket, door: LoginDoor, writer: FrameWriter, ticket: AddressTicket) {
    this.#socket = socket;
    this.#door = door;
    this.#writer = writer;
    this.#session = door.openSession(this, ticket);
    socket.on("data", (chunk: Buffer) => this.push(chunk));
    socket.on("end", () => this.#onHalfClosed());
    socket.on("close", () => this.#session.onTransportClosed());
  }

  /** Takes what was read. */
  push(chunk: Buffer): void {
    this.#frames.push(chunk, this);
  }

  get maxFrameBytes(): number {
    const { maxFrameBytes, maxHelloFrameBytes } = this.#door.limits;
    return this.#session.isOpen ? maxFrameBytes : maxHelloFrameBytes;
  }

  get ended(): boolean {
    return this.#session.ended;
  }

  onFrame(frame: Buffer): void {
    this.#session.onFrame(frame, true);
  }

  onFrameTooLarge(): void {
    this.#session.onFrameTooLarge();
  }

  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  get givenBytes(): number {
    return this.#socket.bytesWritten;
  }

  writeFrame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): boolean {
    if (!this.#socket.writable) return true;
    return this.#socket.write(this.#writer.frame(first, rest, batchBytes));
  }

  onceDrained(listener: () => void): void {
    this.#socket.once("drain", listener);
  }

  end(close: CloseRow): void {
    const socket = this.#socket;
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const packet = closingPacket(close);
    socket.end(this.#writer.frame(packet, undefined, delimitedSize(packetSize(packet))));
    // What still comes is read and thrown away: a reset would take the last words from the client.
    const { wheel, limits } = this.#door;
    const cut = new DelayedCall(() => socket.destroy());
    wheel.schedule(cut, limits.closeTimeoutMs);
    socket.once("close", () => wheel.cancel(cut));
  }

  /** The client has said all it will ever say, so no heartbeat either: what is ready for it still goes out. */
  #onHalfClosed(): void {
    this.#session.flush();
    const socket = this.#socket;
    if (!socket.writable) return;
    socket.end();
    const { wheel, limits } = this.#door;
    const cut = new DelayedCall(() => socket.destroy());
    wheel.schedule(cut, limits.closeTimeoutMs);
    socket.once("close", () => wheel.cancel(cut));
  }
}
