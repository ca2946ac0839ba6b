import type { Group } from "./record-format.ts";

/** What one group costs in memory besides its bytes: its objects. */
const groupOverheadBytes = 512;

/** The newest groups, in memory, without a gap. */
export class TailRing {
  readonly #maxBytes: number;
  #groups: (Group | undefined)[] = [];
  #first = 0;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next group; the oldest ones make room, at least the newest stays. */
  push(group: Group): void {
    this.#groups.push(group);
    this.#heldBytes += group.bytes.byteLength + groupOverheadBytes;
    while (this.#heldBytes > this.#maxBytes && this.#first < this.#groups.length - 1) {
      this.#heldBytes -= this.#groups[this.#first]!.bytes.byteLength + groupOverheadBytes;
      this.#groups[this.#first++] = undefined;
    }
    if (this.#first > 1024 && this.#first * 2 > this.#groups.length) {
      this.#groups = this.#groups.slice(this.#first);
      this.#first = 0;
    }
  }

  /** The group that starts at this journal position, when it is still here. */
  at(position: number): Group | undefined {
    const groups = this.#groups;
    let low = this.#first;
    let high = groups.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const group = groups[middle]!;
      if (group.position === position) return group;
      if (group.position < position) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}
