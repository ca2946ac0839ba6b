import type { Http2Stream } from "node:http2";
import { constants } from "node:http2";
import type { CloseRow } from "@chappe/gen/errors.ts";
import { packetSize } from "@chappe/mesh/codec/packet.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { AddressTicket } from "../address-limits.ts";
import { closeError, closingPacket } from "../closing-packet.ts";
import { DelayedCall } from "../delayed-call.ts";
import type { LoginDoor } from "../login-door.ts";
import type { Session } from "../session.ts";
import type { Outgoing, Transport } from "../transport.ts";
import type { FrameWriter } from "../web-socket/frame-writer.ts";

/** A stream whose messages are encoded batches. */
export type BatchStream = ServerDuplexStream<Buffer, Buffer>;

/** The HTTP/2 stream under a call. grpc-js has no way to end a stream whose client does not read. */
function http2StreamOf(call: BatchStream): Http2Stream | undefined {
  return (call as unknown as { readonly call?: { readonly stream?: Http2Stream } }).call?.stream;
}

/** A gRPC stream as a transport: one batch a message. It ends with an ERROR packet that says why, then the status. */
export class GrpcTransport implements Transport {
  readonly kind = "grpc";
  readonly #call: BatchStream;
  readonly #door: LoginDoor;
  readonly #writer: FrameWriter;
  readonly #session: Session;
  readonly #onTaken: (bytes: number) => void;
  #drained: (() => void) | undefined = undefined;
  #closing: DelayedCall | undefined = undefined;
  #closed = false;
  waitingBytes = 0;
  givenBytes = 0;

  constructor(call: BatchStream, door: LoginDoor, writer: FrameWriter, ticket: AddressTicket) {
    this.#call = call;
    this.#door = door;
    this.#writer = writer;
    this.#onTaken = (bytes) => this.#taken(bytes);
    this.#session = door.openSession(this, ticket);
    call.on("data", (frame: Buffer) => {
      if (frame.length > door.limits.maxFrameBytes) this.#session.onFrameTooLarge();
      else this.#session.onFrame(frame, true);
    });
    call.on("end", () => this.#onHalfClosed());
    call.on("cancelled", () => this.#onClosed());
    // grpc-js emits no close when a status has gone out; the HTTP/2 stream does.
    http2StreamOf(call)?.once("close", () => this.#onClosed());
  }

  writeFrame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): boolean {
    if (this.#closed || this.#closing !== undefined) return true;
    this.#write(this.#writer.frame(first, rest, batchBytes));
    return this.waitingBytes <= this.#door.limits.streamHighWaterBytes;
  }

  onceDrained(listener: () => void): void {
    this.#drained = listener;
  }

  end(close: CloseRow): void {
    if (this.#closed || this.#closing !== undefined) return;
    const packet = closingPacket(close);
    this.#write(this.#writer.frame(packet, undefined, delimitedSize(packetSize(packet))));
    const { row, message } = closeError(close);
    this.#cutLater();
    this.#call.emit("error", { code: row.code, details: message });
  }

  #write(frame: Buffer): void {
    this.waitingBytes += frame.length;
    this.givenBytes += frame.length;
    this.#call.write(frame, () => this.#onTaken(frame.length));
  }

  #taken(bytes: number): void {
    this.waitingBytes -= bytes;
    if (this.waitingBytes > 0) return;
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  #onHalfClosed(): void {
    if (this.#closed || this.#closing !== undefined) return;
    this.#session.flush();
    this.#cutLater();
    this.#call.end();
  }

  #cutLater(): void {
    const { wheel, limits } = this.#door;
    this.#closing = new DelayedCall(() => http2StreamOf(this.#call)?.close(constants.NGHTTP2_CANCEL));
    wheel.schedule(this.#closing, limits.closeTimeoutMs);
  }

  #onClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#closing !== undefined) this.#door.wheel.cancel(this.#closing);
    this.#session.onTransportClosed();
  }
}
