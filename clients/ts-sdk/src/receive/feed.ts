import type { ReceivedMessage } from "./received-message.ts";

/** What the feeds of all conversations share. */
export interface FeedContext {
  /** Gives a message to the application; false = there is no room. */
  readonly deliver: (message: ReceivedMessage) => boolean;
  /** `have` has risen. */
  readonly onProgress: (feed: Feed) => void;
  /** Messages held behind gaps, over all conversations. */
  readonly held: { count: number; readonly max: number };
}

/** Puts the messages of one conversation in order: each seq once, no hole, whatever the network does. */
export class Feed {
  readonly conversationId: Uint8Array;
  readonly key: string;
  /** Newest seq known to exist. */
  head = 0;
  /** The application has no room: nothing is taken until `resume`. */
  stalled = false;
  readonly #context: FeedContext;
  readonly #held = new Map<number, ReceivedMessage>();
  #have: number | undefined;

  constructor(conversationId: Uint8Array, key: string, context: FeedContext) {
    this.conversationId = conversationId;
    this.key = key;
    this.#context = context;
  }

  /** Everything up to here was given to the application; undefined = where to start is not known yet. */
  get have(): number | undefined {
    return this.#have;
  }

  /** There is something to fetch. */
  get behind(): boolean {
    return this.#have !== undefined && this.#have < this.head;
  }

  /** Lowest seq held behind a gap. */
  get lowestHeld(): number | undefined {
    return this.#held.size === 0 ? undefined : Math.min(...this.#held.keys());
  }

  /** Says where to start: the next message given out is `have + 1`. */
  start(have: number): void {
    if (this.#have !== undefined) return;
    this.#have = have;
    this.#drain();
  }

  /** What the server says of the conversation. Messages before `firstSeq` are not for this user and are passed over. */
  noteBounds(firstSeq: number, headSeq: number): void {
    this.noteHead(headSeq);
    if (this.#have === undefined || firstSeq <= this.#have + 1) return;
    this.#have = firstSeq - 1;
    this.head = Math.max(this.head, this.#have);
    this.#context.onProgress(this);
    this.#drain();
  }

  /** A message with this seq exists. */
  noteHead(seq: number): void {
    if (seq > this.head) this.head = seq;
  }

  /** Takes messages in any order; gives out those whose turn it is and holds the others. */
  offer(messages: readonly ReceivedMessage[]): void {
    const before = this.#have;
    for (const message of messages) {
      this.noteHead(message.seq);
      if (this.#have !== undefined && message.seq <= this.#have) continue;
      if (!this.#give(message)) this.#hold(message);
    }
    this.#drain();
    if (this.#have !== before) this.#context.onProgress(this);
  }

  /** The application has room again. */
  resume(): void {
    this.stalled = false;
  }

  #give(message: ReceivedMessage): boolean {
    if (this.stalled || this.#have === undefined || message.seq !== this.#have + 1) return false;
    if (!this.#context.deliver(message)) {
      this.stalled = true;
      this.#forgetHeld();
      return false;
    }
    this.#have = message.seq;
    return true;
  }

  #hold(message: ReceivedMessage): void {
    const { held } = this.#context;
    // What is not held is fetched again: `head` remembers that it exists.
    if (this.stalled || held.count >= held.max || this.#held.has(message.seq)) return;
    this.#held.set(message.seq, message);
    held.count++;
  }

  #drain(): void {
    if (this.#held.size === 0 || this.#have === undefined) return;
    const before = this.#have;
    for (const seq of [...this.#held.keys()].sort((a, b) => a - b)) {
      const message = this.#held.get(seq);
      if (message === undefined) continue;
      if (seq > this.#have && !this.#give(message)) break;
      if (this.#held.delete(seq)) this.#context.held.count--;
    }
    if (this.#have !== before) this.#context.onProgress(this);
  }

  #forgetHeld(): void {
    this.#context.held.count -= this.#held.size;
    this.#held.clear();
  }
}
