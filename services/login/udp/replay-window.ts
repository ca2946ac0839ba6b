import { limits } from "@chappe/mesh/limits.ts";

const wordBits = 32;

/** Remembers which of the newest counters have come; older ones than it reaches count as come. */
export class ReplayWindow {
  readonly #size: number;
  readonly #bits: Uint32Array;
  #highest = -1n;

  /** @param size counters, a multiple of 32 */
  constructor(size: number = limits.udpReplayWindow) {
    this.#size = size;
    this.#bits = new Uint32Array(size / wordBits);
  }

  /** Whether a datagram with this counter would be the first. */
  isFresh(counter: bigint): boolean {
    if (counter > this.#highest) return true;
    if (this.#highest - counter >= BigInt(this.#size)) return false;
    const { word, mask } = this.#place(counter);
    return (this.#bits[word]! & mask) === 0;
  }

  /** Takes the counter of an authentic datagram; answers whether it is the newest so far. */
  take(counter: bigint): boolean {
    const isNewest = counter > this.#highest;
    if (isNewest) this.#moveTo(counter);
    const { word, mask } = this.#place(counter);
    this.#bits[word]! |= mask;
    return isNewest;
  }

  #moveTo(counter: bigint): void {
    if (counter - this.#highest >= BigInt(this.#size)) this.#bits.fill(0);
    else
      for (let passed = this.#highest + 1n; passed < counter; passed++) {
        const { word, mask } = this.#place(passed);
        this.#bits[word]! &= ~mask;
      }
    const { word, mask } = this.#place(counter);
    this.#bits[word]! &= ~mask;
    this.#highest = counter;
  }

  #place(counter: bigint): { word: number; mask: number } {
    const bit = Number(counter % BigInt(this.#size));
    return { word: Math.floor(bit / wordBits), mask: 1 << (bit % wordBits) };
  }
}
