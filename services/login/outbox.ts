import { limits } from "@chappe/mesh/limits.ts";
import { createTurnPacer } from "@chappe/mesh/timers/turn-pacer.ts";

/** Something that has bytes to write. */
export interface Flushable {
  flush(): void;
}

/**
 * Flushes what was written to, once per turn of the event loop, after all input of the turn was handled: answers and
 * pushes of one turn to one connection share a frame and a write; of a few turns when many connections are written to.
 */
export class Outbox {
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  readonly #pacer = createTurnPacer({
    run: () => this.#flush(),
    busyItems: limits.busyTurnItems,
    intervalMs: limits.outputPaceMs,
  });

  /** `flushable.flush()` will be called once, at the end of this turn or soon after. */
  add(flushable: Flushable): void {
    if (this.#dirty.push(flushable) === 1) this.#pacer.request();
  }

  /** Flushes now. */
  flushAll(): void {
    this.#pacer.runNow();
  }

  #flush(): number {
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    const count = dirty.length;
    for (const flushable of dirty) flushable.flush();
    dirty.length = 0;
    this.#spare = dirty;
    return count;
  }
}
