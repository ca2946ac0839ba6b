import type { ReceivedMessage, SendHandle } from "@chappe/sdk/src/index.ts";
import { MessageWindow } from "./message-window.ts";

/** How far the others have got. */
export interface OthersCursor {
  deliveredSeq: number;
  readSeq: number;
}

/** One conversation as the page knows it. */
export class ConversationState {
  /** Hexadecimal id. */
  readonly key: string;
  readonly id: Uint8Array;
  /** The other user of a direct conversation; undefined for a group. */
  readonly peerId: bigint | undefined;
  /** A group's title; empty until known. */
  title = "";
  readonly window = new MessageWindow();
  /** Sends without a seq, in the order they were made. */
  readonly pending: SendHandle[] = [];
  /** By the other members' user ids. */
  readonly cursors = new Map<bigint, OthersCursor>();
  headSeq = 0;
  readSeq = 0;
  /** As far as this page has told the server that it was read. */
  markedSeq = 0;
  /** Lowest seq that the user may read. */
  firstSeq = 1;
  /** A page was fetched. */
  opened = false;
  /** Receipts may have been missed since `cursors` were fetched. */
  cursorsStale = true;
  loadingPage = false;
  /** The user's own eyes are at the newest message: what comes is read. */
  following = true;
  /** The user is no longer a member: nothing new comes, nothing can be sent. */
  left = false;

  #lastTimeMs = 0;

  constructor(key: string, id: Uint8Array, peerId: bigint | undefined) {
    this.key = key;
    this.id = id;
    this.peerId = peerId;
  }

  /** Messages that the user has not seen. */
  get unread(): number {
    return Math.max(0, this.headSeq - Math.max(this.readSeq, this.firstSeq - 1));
  }

  /** When the newest message was written that the page has seen; 0 = none. */
  get lastTimeMs(): number {
    return this.#lastTimeMs;
  }

  /** Whether there are older messages than those here. */
  get hasOlder(): boolean {
    return this.opened && this.window.first > this.firstSeq;
  }

  /** Whether there are newer messages than those here, because the window was moved back. */
  get hasNewer(): boolean {
    return this.opened && this.window.last > 0 && this.window.last < this.headSeq;
  }

  /** Takes a page in, wherever it came from. Who has sent a message has read what is before it. */
  add(messages: readonly ReceivedMessage[]): void {
    this.window.add(messages);
    for (const { seq, own } of messages) {
      this.headSeq = Math.max(this.headSeq, seq);
      if (own) this.readSeq = Math.max(this.readSeq, seq);
    }
    const newest = messages.at(-1);
    if (newest !== undefined) this.#lastTimeMs = Math.max(this.#lastTimeMs, newest.sentTimeMs);
  }

  /** Highest seq that somebody else has on a device, and has read. */
  get others(): OthersCursor {
    const others = { deliveredSeq: 0, readSeq: 0 };
    for (const { deliveredSeq, readSeq } of this.cursors.values()) {
      others.deliveredSeq = Math.max(others.deliveredSeq, deliveredSeq);
      others.readSeq = Math.max(others.readSeq, readSeq);
    }
    return others;
  }

  /** Cursors only rise. */
  raise(userId: bigint, deliveredSeq: number, readSeq: number): void {
    const old = this.cursors.get(userId) ?? { deliveredSeq: 0, readSeq: 0 };
    this.cursors.set(userId, {
      deliveredSeq: Math.max(old.deliveredSeq, deliveredSeq, readSeq),
      readSeq: Math.max(old.readSeq, readSeq),
    });
  }
}

/** Newest first; those without messages come last. */
export function byNewest(a: ConversationState, b: ConversationState): number {
  return b.lastTimeMs - a.lastTimeMs || (a.key < b.key ? -1 : 1);
}
