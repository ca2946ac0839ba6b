/** Something that has bytes to write. */
export interface Flushable {
  flush(): void;
}

/**
 * Flushes what was written to, once per turn of the event loop, after all input of the turn was handled: answers and
 * pushes of one turn to one connection share a frame and a write. setImmediate and not a microtask, because promises of
 * one turn settle over several rounds of microtasks.
 */
export class Outbox {
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  readonly #onTurn = (): void => this.flushAll();

  /** `flushable.flush()` will be called once, at the end of this turn. */
  add(flushable: Flushable): void {
    if (this.#dirty.push(flushable) === 1) setImmediate(this.#onTurn);
  }

  /** Flushes now. */
  flushAll(): void {
    const dirty = this.#dirty;
    this.#dirty = this.#spare;
    for (const flushable of dirty) flushable.flush();
    dirty.length = 0;
    this.#spare = dirty;
  }
}
