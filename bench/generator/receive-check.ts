import type { PacketView } from "../support/packets.ts";
import { ProtoReader } from "../support/proto-reader.ts";
import type { TrafficMeter } from "./traffic-meter.ts";

const clientIdBytes = 16;

/** One receiver in one conversation: reads pushes and insists on seq 1, 2, 3 ... with no hole. */
export class ReceiveCheck {
  readonly #meter: TrafficMeter;
  readonly #onMessage: (counter: number) => void;
  readonly #event = new ProtoReader();
  readonly #message = new ProtoReader();
  /** Highest seq so far; everything up to it has arrived. */
  seq: number;

  /** `onMessage` gets the last four bytes of the client message id of each message, once. */
  constructor(headSeq: number, meter: TrafficMeter, onMessage: (counter: number) => void) {
    this.seq = headSeq;
    this.#meter = meter;
    this.#onMessage = onMessage;
  }

  /** Takes a MessageArrived push. Throws on a message that comes too early. */
  take(packet: PacketView, buffer: Buffer): void {
    const event = this.#event.reset(buffer, packet.start, packet.end);
    while (event.next()) if (event.field === 2) this.#takeMessage(buffer, event.start, event.end);
  }

  #takeMessage(buffer: Buffer, start: number, end: number): void {
    const message = this.#message.reset(buffer, start, end);
    let seq = 0;
    let counter = 0;
    while (message.next()) {
      if (message.field === 1) seq = message.value;
      else if (message.field === 3) {
        counter = buffer.readUInt32BE(message.start + clientIdBytes - 4);
        break;
      }
    }
    if (seq <= this.seq) {
      this.#meter.recordRepeat();
      return;
    }
    if (seq !== this.seq + 1) throw new Error(`wrong order: seq ${seq} arrived after ${this.seq}`);
    this.seq = seq;
    this.#onMessage(counter);
  }
}
