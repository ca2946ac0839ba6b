import { limits } from "@chappe/mesh/limits.ts";
import { type TimerWheel, WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import { maxChunkBytes } from "./datagrams.ts";

/** What a chunk says besides its data: it ends a frame, it is the last of the connection. */
export const chunkFlags = { endOfFrame: 1, close: 2 } as const;

interface Chunk {
  readonly number: number;
  readonly flags: number;
  readonly data: Uint8Array;
  dueMs: number;
  tries: number;
}

/** What a channel stands on. */
export interface ChannelOptions {
  readonly wheel: TimerWheel;
  /** Sends a datagram of this plaintext. */
  readonly transmit: (plaintext: Buffer) => void;
  /** A chunk, in order, once. */
  readonly onChunk: (flags: number, data: Buffer) => void;
  /** Everything sent has arrived. */
  readonly onDrained: () => void;
  /** The other side has not acknowledged for too long. */
  readonly onLost: () => void;
}

const ackBytes = 8;
const chunkHeadBytes = 5;
const ackBits = 32;
/** Chunks that overtook a missing one before it counts as lost. */
const lostAfter = 3;

/** The plaintext of a connection that ends with its first chunk. */
export function soleChunk(frame: Uint8Array): Buffer {
  const head = Buffer.alloc(ackBytes + chunkHeadBytes);
  head[ackBytes + 4] = chunkFlags.endOfFrame | chunkFlags.close;
  return Buffer.concat([head, frame]);
}

/**
 * Ordered, repeated until acknowledged, within a window: what TCP does, over datagrams. A plaintext is: next number
 * expected, 32 bits for those after it, and at most one chunk (number, flags, data). As a timer it repeats.
 */
export class ReliableChannel extends WheelTimer {
  readonly #options: ChannelOptions;
  readonly #queue: { readonly flags: number; readonly data: Uint8Array }[] = [];
  readonly #inFlight = new Map<number, Chunk>();
  readonly #early = new Map<number, { readonly flags: number; readonly data: Buffer }>();
  #nextNumber = 0;
  #expected = 0;
  #window: number = limits.udpStartInFlight;
  #ackDue = false;
  #closed = false;
  waitingBytes = 0;
  givenBytes = 0;

  constructor(options: ChannelOptions) {
    super();
    this.#options = options;
  }

  /** Sends a frame, in as many chunks as it takes. */
  sendFrame(frame: Uint8Array, lastFlags = 0): void {
    if (this.#closed) return;
    this.waitingBytes += frame.length;
    this.givenBytes += frame.length;
    let at = 0;
    do {
      const data = frame.subarray(at, at + maxChunkBytes);
      at += maxChunkBytes;
      this.#queue.push({ flags: at >= frame.length ? chunkFlags.endOfFrame | lastFlags : 0, data });
    } while (at < frame.length);
    this.#fill();
  }

  /** Takes the plaintext of an authentic datagram. */
  receive(plaintext: Buffer): void {
    if (this.#closed || plaintext.length < ackBytes) return;
    this.#onAck(plaintext.readUInt32BE(0), plaintext.readUInt32BE(4));
    if (plaintext.length < ackBytes + chunkHeadBytes) return;
    const number = plaintext.readUInt32BE(ackBytes);
    // Repeats are acknowledged too: the acknowledgement may have been what was lost.
    this.#ackSoon();
    if (number < this.#expected || number >= this.#expected + limits.maxUdpReorder) return;
    const flags = plaintext[ackBytes + 4]!;
    this.#early.set(number, { flags, data: plaintext.subarray(ackBytes + chunkHeadBytes) });
    for (let next = this.#early.get(this.#expected); next !== undefined; next = this.#early.get(this.#expected)) {
      this.#early.delete(this.#expected++);
      this.#options.onChunk(next.flags, next.data);
      if (this.#closed) return;
    }
  }

  /** Sends the acknowledgement that is due now; nothing is sent or received from then on. */
  close(): void {
    if (this.#closed) return;
    this.#ackNow();
    this.#closed = true;
    this.#options.wheel.cancel(this);
    this.#queue.length = 0;
    this.#inFlight.clear();
    this.#early.clear();
  }

  override onTimer(nowMs: number): void {
    let repeated = 0;
    for (const chunk of this.#inFlight.values()) {
      if (chunk.dueMs > nowMs) continue;
      if (chunk.tries > limits.maxUdpRetransmits) {
        this.#options.onLost();
        return;
      }
      if (repeated++ < this.#window) this.#transmit(chunk);
    }
    if (repeated > 0) this.#window = Math.max(limits.udpMinInFlight, this.#window >> 1);
    this.#arm();
  }

  #onAck(expected: number, bits: number): void {
    if (expected > this.#nextNumber) return;
    let highest = expected - 1;
    let progress = false;
    for (let bit = 0; bit < ackBits; bit++) if ((bits & (1 << bit)) !== 0) highest = expected + 1 + bit;
    for (const { number, data, tries } of this.#inFlight.values()) {
      const after = number - expected - 1;
      const isAcked = number < expected || (after >= 0 && after < ackBits && (bits & (1 << after)) !== 0);
      if (!isAcked) continue;
      this.#inFlight.delete(number);
      this.waitingBytes -= data.length;
      progress = true;
      if (tries === 1 && this.#window < limits.maxUdpInFlight) this.#window++;
    }
    for (const chunk of this.#inFlight.values())
      if (chunk.tries === 1 && chunk.number + lostAfter <= highest) this.#transmit(chunk);
    if (!progress) return;
    this.#fill();
    if (this.#inFlight.size === 0) this.#options.onDrained();
  }

  #fill(): void {
    while (this.#inFlight.size < this.#window) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      const chunk = { number: this.#nextNumber++, ...next, dueMs: 0, tries: 0 };
      this.#inFlight.set(chunk.number, chunk);
      this.#transmit(chunk);
    }
    this.#arm();
  }

  #transmit(chunk: Chunk): void {
    const waitMs = Math.min(limits.udpRetransmitMs * 2 ** chunk.tries, limits.maxUdpRetransmitMs);
    chunk.tries++;
    chunk.dueMs = this.#options.wheel.now() + waitMs;
    const head = Buffer.alloc(ackBytes + chunkHeadBytes);
    this.#writeAck(head);
    head.writeUInt32BE(chunk.number, ackBytes);
    head[ackBytes + 4] = chunk.flags;
    this.#options.transmit(Buffer.concat([head, chunk.data]));
  }

  #writeAck(into: Buffer): void {
    let bits = 0;
    for (let bit = 0; bit < ackBits; bit++) if (this.#early.has(this.#expected + 1 + bit)) bits |= 1 << bit;
    into.writeUInt32BE(this.#expected, 0);
    into.writeUInt32BE(bits >>> 0, 4);
    this.#ackDue = false;
  }

  /** One acknowledgement a turn, unless data carries it. */
  #ackSoon(): void {
    if (this.#ackDue) return;
    this.#ackDue = true;
    setImmediate(() => this.#ackNow());
  }

  #ackNow(): void {
    if (!this.#ackDue || this.#closed) return;
    const plaintext = Buffer.alloc(ackBytes);
    this.#writeAck(plaintext);
    this.#options.transmit(plaintext);
  }

  #arm(): void {
    const { wheel } = this.#options;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const chunk of this.#inFlight.values()) dueMs = Math.min(dueMs, chunk.dueMs);
    if (dueMs === Number.POSITIVE_INFINITY) wheel.cancel(this);
    else wheel.schedule(this, Math.max(0, dueMs - wheel.now()));
  }
}
