import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";

/** Messages of one conversation that the page keeps. */
const maxWindowMessages = 1_000;

/** A contiguous stretch of a conversation: grows at both ends, and forgets its oldest when it is too long. */
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

  /** Whether older messages still fit. */
  get full(): boolean {
    return this.#messages.size >= maxWindowMessages;
  }

  /** In order of seq. */
  list(): readonly ReceivedMessage[] {
    return [...this.#messages.values()].sort((a, b) => a.seq - b.seq);
  }

  has(seq: number): boolean {
    return this.#messages.has(seq);
  }

  /** Adds messages; one that is there already stays. */
  add(messages: readonly ReceivedMessage[]): void {
    for (const message of messages) {
      if (this.#messages.has(message.seq)) continue;
      this.#messages.set(message.seq, message);
      this.#first = this.#first === 0 ? message.seq : Math.min(this.#first, message.seq);
      this.#last = Math.max(this.#last, message.seq);
    }
    while (this.#messages.size > maxWindowMessages) {
      this.#messages.delete(this.#first);
      do this.#first++;
      while (!this.#messages.has(this.#first));
    }
  }
}
