import { create } from "@bufbuild/protobuf";
import type { CloseRow } from "@chappe/gen/errors.ts";
import { type PacketBatch, PacketBatchSchema } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { decodePacketBatch, type Packet, packetSize } from "@chappe/mesh/codec/packet.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import { WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { AddressTicket } from "../address-limits.ts";
import { closeError, closingPacket } from "../closing-packet.ts";
import { DelayedCall } from "../delayed-call.ts";
import type { LoginDoor } from "../login-door.ts";
import type { Session } from "../session.ts";
import { type Outgoing, SharedPacket, type Transport } from "../transport.ts";

interface Waiting {
  readonly batch: PacketBatch;
  readonly bytes: number;
}

function batchOf(packets: readonly Packet[]): PacketBatch {
  const messages = packets.map((packet) => ({ ...packet, $typeName: "chappe.mesh.v1.Packet" as const }));
  return create(PacketBatchSchema, { packets: messages as PacketBatch["packets"] });
}

/** The packet as a message may hold it: one encoded for many is decoded again. */
function packetOf(outgoing: Outgoing): Packet {
  return outgoing instanceof SharedPacket ? decodePacketBatch(outgoing.bytes)[0]! : outgoing;
}

/**
 * A Listen stream and its SendFrame calls as a transport. As a timer it keeps proxies awake. It ends with an ERROR packet
 * that says why, then the same as the error of the stream.
 */
export class ListenTransport extends WheelTimer implements Transport {
  readonly kind = "connect";
  readonly #door: LoginDoor;
  readonly #session: Session;
  readonly #cut: () => void;
  readonly #queue: Waiting[] = [];
  #wake: (() => void) | undefined = undefined;
  #drained: (() => void) | undefined = undefined;
  #close: CloseRow | undefined = undefined;
  #closing: DelayedCall | undefined = undefined;
  #closed = false;
  #nextSequence = 1n;
  waitingBytes = 0;
  givenBytes = 0;

  /** @param cut drops the connection under the stream */
  constructor(door: LoginDoor, ticket: AddressTicket, cut: () => void) {
    super();
    this.#door = door;
    this.#cut = cut;
    this.#session = door.openSession(this, ticket);
    door.wheel.schedule(this, door.limits.listenKeepaliveMs);
  }

  /** Takes a frame of SendFrame; answers whether it had come before. WRONG_STATE when one before it is missing. */
  take(sequence: bigint, frame: Uint8Array): boolean {
    if (sequence < this.#nextSequence) return true;
    if (sequence > this.#nextSequence) {
      const message = `sequence: ${sequence} came, ${this.#nextSequence} is expected`;
      throw new ChappeError("WRONG_STATE", message, { violations: [{ field: "sequence", rule: "order", message }] });
    }
    this.#nextSequence++;
    if (frame.length > this.#door.limits.maxFrameBytes) this.#session.onFrameTooLarge();
    else this.#session.onFrame(frame, true);
    return false;
  }

  /** What take expects next. */
  get nextSequence(): bigint {
    return this.#nextSequence;
  }

  /** The batches as they are read; ends with an error when the session ends. */
  async *batches(): AsyncGenerator<PacketBatch> {
    for (;;) {
      const waiting = this.#queue.shift();
      if (waiting !== undefined) {
        yield waiting.batch;
        // It is asked for the next one when the last has been written.
        this.#taken(waiting.bytes);
      } else if (this.#close !== undefined) throw toConnectError(closeError(this.#close));
      else if (this.#closed) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  writeFrame(first: Outgoing, rest: readonly Outgoing[] | undefined, batchBytes: number): boolean {
    if (this.#closed || this.#close !== undefined) return true;
    const packets = rest === undefined ? [first] : [first, ...rest];
    this.#push(packets.map(packetOf), batchBytes);
    return this.waitingBytes <= this.#door.limits.streamHighWaterBytes;
  }

  onceDrained(listener: () => void): void {
    this.#drained = listener;
  }

  end(close: CloseRow): void {
    if (this.#closed || this.#close !== undefined) return;
    const { wheel, limits } = this.#door;
    const packet = closingPacket(close);
    this.#push([packet], delimitedSize(packetSize(packet)));
    this.#close = close;
    this.#closing = new DelayedCall(this.#cut);
    wheel.schedule(this.#closing, limits.closeTimeoutMs);
    wheel.cancel(this);
  }

  /** The stream is closed, by whomever. */
  onClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { wheel } = this.#door;
    wheel.cancel(this);
    if (this.#closing !== undefined) wheel.cancel(this.#closing);
    this.#queue.length = 0;
    this.#session.onTransportClosed();
    this.#wake?.();
  }

  override onTimer(): void {
    if (this.#queue.length === 0) this.#push([], 0);
    this.#door.wheel.schedule(this, this.#door.limits.listenKeepaliveMs);
  }

  #push(packets: readonly Packet[], bytes: number): void {
    this.#queue.push({ batch: batchOf(packets), bytes });
    this.waitingBytes += bytes;
    this.givenBytes += bytes;
    this.#wake?.();
    this.#wake = undefined;
  }

  #taken(bytes: number): void {
    this.waitingBytes -= bytes;
    if (this.waitingBytes > 0) return;
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  /** The first words of the stream, before anything of the session. */
  greet(packet: Packet): void {
    this.#push([packet], 0);
  }
}
