import { randomBytes } from "node:crypto";
import { ByteWriter } from "../support/byte-writer.ts";
import type { MeshConnection } from "../support/mesh-connection.ts";
import { addresses, encodeRequest } from "../support/packets.ts";
import type { TrafficMeter } from "./traffic-meter.ts";

/** Places for messages in flight; the server allows 256 calls a connection. */
const laneSlots = 256;
/** Call ids are this and more, so that they always take two bytes. */
const firstCallId = 128;
const callIdAt = 7;
const clientIdBytes = 16;

/** What a lane needs. */
export interface SendLaneOptions {
  readonly connection: MeshConnection;
  readonly conversationId: Uint8Array;
  readonly textBytes: number;
  /** Messages in flight at most; in open loop the server's limit counts instead. */
  readonly window: number;
  /** Receivers that must have a message before it counts. */
  readonly receivers: number;
  readonly meter: TrafficMeter;
}

/** One sender in one conversation: messages in flight, each its own Send request, each a slot of a ring. */
export class SendLane {
  readonly #options: SendLaneOptions;
  readonly #packet: Buffer;
  readonly #clientIdOffset: number;
  readonly #dueMs = new Float64Array(laneSlots);
  /** Deliveries and the ack still missing. */
  readonly #missing = new Uint16Array(laneSlots);
  readonly #backlog: number[] = [];
  #counter = 0;
  #inFlight = 0;
  #refill = false;

  constructor(options: SendLaneOptions) {
    this.#options = options;
    const id = randomBytes(clientIdBytes);
    id[6] = 0x70 | (id[6]! & 0x0f);
    id[8] = 0x80 | (id[8]! & 0x3f);
    const text = new ByteWriter().bytes(1, Buffer.alloc(options.textBytes, "chappe ")).finish();
    const content = new ByteWriter().bytes(1, text).finish();
    const message = new ByteWriter().bytes(1, id).bytes(2, content).finish();
    const request = new ByteWriter().bytes(1, options.conversationId).bytes(2, message).finish();
    this.#packet = encodeRequest(addresses.send, firstCallId, request, options.conversationId);
    this.#clientIdOffset = this.#packet.indexOf(id);
  }

  /** Messages that have been sent and are not complete, or wait for a free place. */
  get unfinished(): number {
    return this.#inFlight + this.#backlog.length;
  }

  /** Closed loop: fills the window, and from now on each completed message starts the next. */
  start(nowMs: number): void {
    this.#refill = true;
    while (this.#inFlight < this.#options.window) this.#send(nowMs);
  }

  /** Closed loop: completed messages start no more. */
  stop(): void {
    this.#refill = false;
  }

  /** Open loop: a message was due at `dueMs`; it waits when there is no place. */
  offer(dueMs: number): void {
    if (this.#inFlight < laneSlots) this.#send(dueMs);
    else this.#backlog.push(dueMs);
  }

  /** The server acknowledged a call. */
  onAck(callId: number, nowMs: number): void {
    const slot = callId - firstCallId;
    this.#options.meter.recordAck(nowMs - this.#dueMs[slot]!);
    this.#settle(slot, nowMs);
  }

  /** A receiver has the message with this counter (the last four bytes of its client message id). */
  onDelivered(counter: number, nowMs: number): void {
    const slot = counter % laneSlots;
    this.#options.meter.recordDelivery(nowMs - this.#dueMs[slot]!);
    this.#settle(slot, nowMs);
  }

  #settle(slot: number, nowMs: number): void {
    if (--this.#missing[slot]! > 0) return;
    this.#inFlight--;
    this.#options.meter.recordMessage();
    if (this.#refill) this.#send(nowMs);
    while (this.#backlog.length > 0 && this.#missing[this.#counter % laneSlots] === 0)
      this.#send(this.#backlog.shift()!);
  }

  #send(dueMs: number): void {
    // A straggler keeps its slot; the others go around it.
    while (this.#missing[this.#counter % laneSlots] !== 0) this.#counter++;
    const counter = this.#counter++;
    const slot = counter % laneSlots;
    this.#dueMs[slot] = dueMs;
    this.#missing[slot] = this.#options.receivers + 1;
    this.#inFlight++;
    const callId = slot + firstCallId;
    this.#packet[callIdAt] = (callId & 0x7f) | 0x80;
    this.#packet[callIdAt + 1] = callId >> 7;
    const at = this.#clientIdOffset;
    this.#packet.writeUIntBE(Date.now() + this.#options.connection.clockOffsetMs, at, 6);
    this.#packet.writeUInt32BE(counter, at + clientIdBytes - 4);
    this.#options.connection.append(this.#packet);
  }
}
