import { randomBytes } from "node:crypto";
import type { CloseRow } from "@chappe/gen/errors.ts";
import { ListeningSchema } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { encodeListening } from "@chappe/mesh/codec/edge-stream.ts";
import { type Packet, packetSize } from "@chappe/mesh/codec/packet.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import { WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { AddressTicket } from "../address-limits.ts";
import { closeError, closingPacket } from "../closing-packet.ts";
import { DelayedCall } from "../delayed-call.ts";
import type { LoginDoor } from "../login-door.ts";
import type { Session } from "../session.ts";
import { pushPacket } from "../session-packets.ts";
import type { Outgoing, Transport } from "../transport.ts";
import { createFrameWriter, type FrameWriter } from "../web-socket/frame-writer.ts";
import { envelopeHeader } from "./envelope.ts";

/** What the Listen streams of a process have in common. */
export interface ListenContext {
  readonly login: LoginDoor;
  /** Makes enveloped batches. */
  readonly frames: FrameWriter;
  /** Streams by their key, while they last. */
  readonly transports: Map<string, ListenTransport>;
}

const keyBytes = 32;
const listening = eventAddress(ListeningSchema);
const emptyBatch: Buffer = envelopeHeader(0);

const textOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");

/** Makes one. */
export function createListenContext(login: LoginDoor): ListenContext {
  const frames = createFrameWriter({ header: envelopeHeader, usesMemo: false });
  return { login, frames, transports: new Map() };
}

/** The stream of a key, if there is one. */
export function transportOf({ transports }: ListenContext, key: Uint8Array): ListenTransport | undefined {
  return transports.get(textOf(key));
}

/**
 * A Listen stream and its SendFrame calls as a transport. As a timer it keeps proxies awake. It ends with an ERROR packet
 * that says why, then the same as the error of the stream. How bytes go out is up to who serves the stream.
 */
export abstract class ListenTransport extends WheelTimer implements Transport {
  readonly kind = "connect";
  readonly #context: ListenContext;
  readonly #session: Session;
  #key = "";
  #drained: (() => void) | undefined = undefined;
  #closing: DelayedCall | undefined = undefined;
  #closed = false;
  #nextSequence = 1;
  waitingBytes = 0;
  givenBytes = 0;

  constructor(context: ListenContext, ticket: AddressTicket) {
    super();
    const { login } = context;
    this.#context = context;
    this.#session = login.openSession(this, ticket);
    login.wheel.schedule(this, login.limits.listenKeepaliveMs);
  }

  /** Writes an enveloped batch, now or in its turn; counts it in `waitingBytes` until it is `taken`. */
  protected abstract put(frame: Buffer): void;

  /** Ends the stream with this error when all that was put is out. */
  protected abstract finish(error: ChappeError): void;

  /** Drops the connection under the stream. */
  protected abstract cut(): void;

  /** The stream is closed: nothing goes out any more. */
  protected abstract forget(): void;

  /** The first words of the stream, before anything of the session: the key by which SendFrame finds it. */
  greet(): void {
    const key = randomBytes(keyBytes);
    this.#key = textOf(key);
    this.#context.transports.set(this.#key, this);
    this.#write(pushPacket(listening.svid, listening.cmd, encodeListening(key)));
  }

  /** Takes a frame of SendFrame; answers whether it had come before. WRONG_STATE when one before it is missing. */
  take(sequence: bigint | number, frame: Uint8Array): boolean {
    if (sequence < this.#nextSequence) return true;
    if (sequence > this.#nextSequence) {
      const message = `sequence: ${sequence} came, ${this.#nextSequence} is expected`;
      throw new ChappeError("WRONG_STATE", message, { violations: [{ field: "sequence", rule: "order", message }] });
    }
    this.#nextSequence++;
    if (frame.length > this.#context.login.limits.maxFrameBytes) this.#session.onFrameTooLarge();
    else this.#session.onFrame(frame, true);
    return false;
  }

  /** What take expects next. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  writeFrame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): boolean {
    if (this.#closed || this.#closing !== undefined) return true;
    const { frames, login } = this.#context;
    this.#give(frames.frame(first, rest, batchBytes));
    return this.waitingBytes <= login.limits.streamHighWaterBytes;
  }

  onceDrained(listener: () => void): void {
    this.#drained = listener;
  }

  end(close: CloseRow): void {
    if (this.#closed || this.#closing !== undefined) return;
    const { wheel, limits } = this.#context.login;
    this.#write(closingPacket(close));
    this.#closing = new DelayedCall(() => {
      this.cut();
      // A response that waits behind another one of its connection hears of no end.
      this.onClosed();
    });
    wheel.schedule(this.#closing, limits.closeTimeoutMs);
    wheel.cancel(this);
    this.finish(closeError(close));
  }

  /** The stream is closed, by whomever. */
  onClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { login, transports } = this.#context;
    transports.delete(this.#key);
    login.wheel.cancel(this);
    if (this.#closing !== undefined) login.wheel.cancel(this.#closing);
    this.#session.onTransportClosed();
    this.forget();
  }

  override onTimer(): void {
    const { wheel, limits } = this.#context.login;
    if (this.waitingBytes === 0) this.#give(emptyBatch);
    wheel.schedule(this, limits.listenKeepaliveMs);
  }

  /** So many bytes have left `put`. */
  protected taken(bytes: number): void {
    this.waitingBytes -= bytes;
    if (this.waitingBytes > 0) return;
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  #write(packet: Packet): void {
    this.#give(this.#context.frames.frame(packet, undefined, delimitedSize(packetSize(packet))));
  }

  #give(frame: Buffer): void {
    this.givenBytes += frame.length;
    this.put(frame);
  }
}
