/** Something with work to do at the end of a turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/** Calls each marked object once, after all reads of the current turn: one write per socket and turn. */
export class TurnFlusher {
  #marked: Flushable[] = [];

  /** To be called once per object and turn. */
  mark(target: Flushable): void {
    if (this.#marked.push(target) === 1) setImmediate(() => this.#run());
  }

  #run(): void {
    const marked = this.#marked;
    this.#marked = [];
    for (const target of marked) target.flush();
  }
}
