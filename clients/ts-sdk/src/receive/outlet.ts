import { toHex } from "../ids.ts";
import { Stream } from "../stream.ts";
import type { ReceivedMessage } from "./received-message.ts";

/** What the outlet tells its owner. */
export interface OutletHooks {
  /** The application is done with the message. */
  readonly onConsumed: (message: ReceivedMessage) => void;
  /** There is room again after a refusal. */
  readonly onRoom: () => void;
}

interface Tap {
  /** Only this conversation; undefined = all. */
  readonly key: string | undefined;
  readonly stream: Stream<ReceivedMessage>;
}

interface Waiting {
  readonly key: string;
  readonly message: ReceivedMessage;
}

/**
 * Where messages leave for the application's iterators. A message goes to every iterator that is open for it; while
 * there is none it waits here. Both are bounded: a message that finds no room is refused and comes again later.
 */
export class Outlet {
  readonly #hooks: OutletHooks;
  readonly #max: number;
  readonly #taps = new Set<Tap>();
  #waiting: Waiting[] = [];
  #refused = false;
  #closed = false;

  constructor(maxBufferedMessages: number, hooks: OutletHooks) {
    this.#max = maxBufferedMessages;
    this.#hooks = hooks;
  }

  /** Gives the message to all who are open for it, or to none: false. */
  deliver(message: ReceivedMessage): boolean {
    const key = toHex(message.conversationId);
    if (this.#closed) return false;
    const taps = this.#tapsFor(key);
    const full = taps.length === 0 ? this.#waiting.length >= this.#max : taps.some((t) => t.stream.size >= this.#max);
    if (full) {
      this.#refused = true;
      return false;
    }
    if (taps.length === 0) this.#waiting.push({ key, message });
    else for (const tap of taps) tap.stream.push(message);
    return true;
  }

  /** An iterator over all conversations, or over one; it begins with what waits here for it. */
  open(key: string | undefined, signal: AbortSignal | undefined): Stream<ReceivedMessage> {
    const tap: Tap = {
      key,
      stream: new Stream(
        {
          onDone: this.#hooks.onConsumed,
          onTaken: () => this.#roomMade(tap.stream.size),
          onEnd: (rest) => this.#closeTap(tap, rest),
        },
        signal,
      ),
    };
    if (this.#closed) tap.stream.end();
    if (tap.stream.ended) return tap.stream;
    this.#taps.add(tap);
    const kept: Waiting[] = [];
    for (const waiting of this.#waiting) {
      if (key === undefined || key === waiting.key) tap.stream.push(waiting.message);
      else kept.push(waiting);
    }
    this.#waiting = kept;
    this.#roomMade(kept.length);
    return tap.stream;
  }

  close(): void {
    this.#closed = true;
    for (const { stream } of [...this.#taps]) stream.end();
    this.#waiting = [];
  }

  #tapsFor(key: string): readonly Tap[] {
    const found: Tap[] = [];
    for (const tap of this.#taps) if (tap.key === undefined || tap.key === key) found.push(tap);
    return found;
  }

  #closeTap(tap: Tap, rest: readonly ReceivedMessage[]): void {
    this.#taps.delete(tap);
    if (this.#closed) return;
    // Nobody else has seen these; the next iterator begins with them. They are older than what waits.
    const unseen = rest.map((message) => ({ key: toHex(message.conversationId), message }));
    this.#waiting = [...unseen.filter(({ key }) => this.#tapsFor(key).length === 0), ...this.#waiting];
    this.#roomMade(this.#waiting.length);
  }

  #roomMade(size: number): void {
    if (!this.#refused || size > this.#max / 2) return;
    this.#refused = false;
    this.#hooks.onRoom();
  }
}
