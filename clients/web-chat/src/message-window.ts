import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";

/** Messages of one conversation that the page keeps, and so the most that it shows. */
const maxWindowMessages = 400;

/** A contiguous stretch of a conversation: grows at both ends, and forgets at the other end when it is too long. */
export class MessageWindow {
  readonly #messages = new Map<number, ReceivedMessage>();
  #first = 0;
  #last = 0;

  /** Lowest seq here; 0 = none. */
  get first(): number {
    return this.#first;
  }

  /** Highest seq here; 0 = none. */
  get last(): number {
    return this.#last;
  }

  get newest(): ReceivedMessage | undefined {
    return this.#messages.get(this.#last);
  }

  /** In order of seq. */
  list(): readonly ReceivedMessage[] {
    return [...this.#messages.values()].sort((a, b) => a.seq - b.seq);
  }

  has(seq: number): boolean {
    return this.#messages.has(seq);
  }

  clear(): void {
    this.#messages.clear();
    this.#first = 0;
    this.#last = 0;
  }

  /**
   * Adds a page, in order of seq and without a hole; a message that is there already stays. A page that does not touch
   * the stretch is not taken.
   */
  add(page: readonly ReceivedMessage[]): void {
    const from = page[0]?.seq;
    const to = page.at(-1)?.seq;
    if (from === undefined || to === undefined) return;
    if (this.#last > 0 && (from > this.#last + 1 || to < this.#first - 1)) return;
    const older = this.#last > 0 && from < this.#first;
    for (const message of page) if (!this.#messages.has(message.seq)) this.#messages.set(message.seq, message);
    this.#first = this.#last === 0 ? from : Math.min(this.#first, from);
    this.#last = Math.max(this.#last, to);
    while (this.#messages.size > maxWindowMessages) this.#messages.delete(older ? this.#last-- : this.#first++);
  }
}
