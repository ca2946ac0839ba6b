import type { SeenMessage } from "../history/history-event.ts";

/** How long a gap may close by itself, as in the SDK. */
const gapHoldMs = 50;
const fetchRetryMs = 100;

/** A range of history. */
export interface FetchedRange {
  readonly messages: readonly SeenMessage[];
  /** Highest seq that the user may read. */
  readonly headSeq: number;
}

/** What a view needs. */
export interface AppViewOptions {
  /** First seq that the application is to be shown. */
  readonly firstSeq: number;
  /** Called in order of seq, once per seq. */
  readonly show: (message: SeenMessage) => void;
  /** Messages from this seq on; undefined while the server is away. */
  readonly fetch: (fromSeq: number) => Promise<FetchedRange | undefined>;
}

/** One conversation as the application of one device sees it: in order, without holes or repeats. */
export class AppView {
  readonly #options: AppViewOptions;
  readonly #held = new Map<number, SeenMessage>();
  #next: number;
  #head = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: AppViewOptions) {
    this.#options = options;
    this.#next = options.firstSeq;
  }

  /** Everything up to here was shown. */
  get shownSeq(): number {
    return this.#next - 1;
  }

  /** Whether everything is shown that the server has spoken of. */
  get caughtUp(): boolean {
    return this.#next > this.#head;
  }

  /** A message has come, from wherever. */
  offer(message: SeenMessage): void {
    if (message.seq < this.#next) return;
    this.#held.set(message.seq, message);
    this.#head = Math.max(this.#head, message.seq);
    this.#drain();
    if (!this.caughtUp) this.#fetchAfter(gapHoldMs);
  }

  /** The server says that there are messages up to `seq`. */
  hint(seq: number): void {
    this.#head = Math.max(this.#head, seq);
    if (!this.caughtUp) this.#fetchAfter(0);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #drain(): void {
    for (let message = this.#held.get(this.#next); message !== undefined; message = this.#held.get(this.#next)) {
      this.#held.delete(this.#next++);
      this.#options.show(message);
    }
  }

  #fetchAfter(delayMs: number): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => void this.#fetch(), delayMs);
  }

  async #fetch(): Promise<void> {
    const from = this.#next;
    const range = this.caughtUp ? undefined : await this.#options.fetch(from);
    for (const message of range?.messages ?? []) if (message.seq >= this.#next) this.#held.set(message.seq, message);
    this.#drain();
    if (range?.messages.length === 0 && range.headSeq < this.#next) this.#cutAt(range.headSeq);
    this.#timer = undefined;
    if (!this.caughtUp) this.#fetchAfter(this.#next > from ? 0 : fetchRetryMs);
  }

  /** The user may read no further, as after leaving: an own send may still have got a later seq. */
  #cutAt(headSeq: number): void {
    this.#head = headSeq;
    this.#held.clear();
  }
}
