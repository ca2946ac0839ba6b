import { limits } from "../limits.ts";

/** When messages that were pushed lately were sent, by their place: a table of fixed size in which the newer one wins. */
export class AckBook {
  readonly #conversation = new Uint32Array(limits.ackBookEntries);
  readonly #seq = new Float64Array(limits.ackBookEntries);
  readonly #sentMs = new Float64Array(limits.ackBookEntries);

  put(conversation: number, seq: number, sentMs: number): void {
    const at = this.#slot(conversation, seq);
    this.#conversation[at] = conversation;
    this.#seq[at] = seq;
    this.#sentMs[at] = sentMs;
  }

  /** Unix milliseconds; 0 = not known any more. */
  sentMs(conversation: number, seq: number): number {
    const at = this.#slot(conversation, seq);
    return this.#conversation[at] === conversation && this.#seq[at] === seq ? this.#sentMs[at]! : 0;
  }

  #slot(conversation: number, seq: number): number {
    return (Math.imul(conversation ^ seq, 0x85ebca6b) >>> 8) & (limits.ackBookEntries - 1);
  }
}
