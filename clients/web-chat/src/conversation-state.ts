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
  /** Lowest seq that the user may read. */
  firstSeq = 1;
  /** The newest page was fetched. */
  opened = false;
  loadingOlder = false;
  /** Nothing can be sent or read any more. */
  left = false;

  constructor(key: string, id: Uint8Array, peerId: bigint | undefined) {
    this.key = key;
    this.id = id;
    this.peerId = peerId;
  }

  /** Messages that the user has not seen. */
  get unread(): number {
    return Math.max(0, this.headSeq - Math.max(this.readSeq, this.firstSeq - 1));
  }

  get lastTimeMs(): number {
    return this.window.newest?.sentTimeMs ?? 0;
  }

  /** Whether there are older messages that still fit. */
  get hasOlder(): boolean {
    return this.opened && this.window.first > this.firstSeq && !this.window.full;
  }

  /** Takes messages in, wherever they came from. */
  add(messages: readonly ReceivedMessage[]): void {
    this.window.add(messages);
    this.headSeq = Math.max(this.headSeq, this.window.last);
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
