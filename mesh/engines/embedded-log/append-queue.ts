import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Appended } from "../../ports/log.ts";
import type { FramedRecord } from "./record-format.ts";

/** Memory of a waiting append besides its payload. */
const pendingOverheadBytes = 128;

const overloaded = (): ChappeError =>
  new ChappeError("OVERLOADED", "too many bytes wait for the log's disk", {
    retryAfterMs: limits.overloadRetryAfterMs,
  });

/** An append that has not settled. */
export interface PendingAppend extends FramedRecord {
  offset: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: ChappeError) => void;
}

/** Appends in the order of their calls, bounded by the bytes that have not settled. */
export class AppendQueue {
  readonly #maxBytes: number;
  #waiting: PendingAppend[] = [];
  #first = 0;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#waiting.length - this.#first;
  }

  /** Queues an append; keeps `payload` by reference. Rejects with OVERLOADED when the queue is full. */
  push(kind: number, partition: number, payload: Uint8Array): Promise<Appended> {
    const bytes = payload.byteLength + pendingOverheadBytes;
    if (this.#heldBytes + bytes > this.#maxBytes) {
      return Promise.reject(overloaded());
    }
    this.#heldBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kind, partition, offset: -1, payload, resolve, reject });
    });
  }

  /** Takes the oldest appends, at least one if any waits, up to `maxBytes` of payload. */
  take(maxBytes: number): PendingAppend[] {
    const from = this.#first;
    let to = from;
    let bytes = 0;
    while (to < this.#waiting.length) {
      bytes += this.#waiting[to]!.payload.byteLength + pendingOverheadBytes;
      if (bytes > maxBytes && to > from) break;
      to++;
    }
    const all = from === 0 && to === this.#waiting.length;
    const taken = all ? this.#waiting : this.#waiting.slice(from, to);
    this.#first = all ? 0 : to;
    if (all) this.#waiting = [];
    return taken;
  }

  /** Settled appends make room for others. */
  release(taken: readonly PendingAppend[]): void {
    for (const { payload } of taken) this.#heldBytes -= payload.byteLength + pendingOverheadBytes;
  }
}
