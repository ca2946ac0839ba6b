import { toHex } from "../ids.ts";
import type { PendingSend } from "./send-handle.ts";

interface Watched {
  readonly conversationId: Uint8Array;
  deliveredSeq: number;
  readSeq: number;
  /** In order of seq. */
  readonly undelivered: PendingSend[];
  readonly unread: PendingSend[];
}

/** Sequenced sends whose receipts are awaited. Bounded: the oldest are forgotten, their promises stay open. */
export class ReceiptBook {
  readonly #conversations = new Map<string, Watched>();
  readonly #tracked = new Set<PendingSend>();
  readonly #max: number;

  constructor(maxTrackedReceipts: number) {
    this.#max = maxTrackedReceipts;
  }

  /** Watches for receipts of a send that has just been sequenced. */
  watch(send: PendingSend): void {
    const key = toHex(send.conversationId);
    let watched = this.#conversations.get(key);
    if (watched === undefined) {
      watched = { conversationId: send.conversationId, deliveredSeq: 0, readSeq: 0, undelivered: [], unread: [] };
      this.#conversations.set(key, watched);
    }
    insert(watched.undelivered, send);
    insert(watched.unread, send);
    this.#tracked.add(send);
    this.#advance(key, watched);
    const oldest = this.#tracked.size > this.#max ? this.#tracked.values().next().value : undefined;
    if (oldest !== undefined) this.#forget(oldest);
  }

  /** Somebody else has got so far. */
  receipt(conversationId: Uint8Array, deliveredSeq: number, readSeq: number): void {
    const key = toHex(conversationId);
    const watched = this.#conversations.get(key);
    if (watched === undefined) return;
    watched.deliveredSeq = Math.max(watched.deliveredSeq, deliveredSeq, readSeq);
    watched.readSeq = Math.max(watched.readSeq, readSeq);
    this.#advance(key, watched);
  }

  /** Conversations with sends that nobody else is known to have on a device yet, at most `max`. */
  undelivered(max: number): readonly Uint8Array[] {
    const found: Uint8Array[] = [];
    for (const watched of this.#conversations.values()) {
      if (found.length >= max) break;
      if (watched.undelivered.length > 0) found.push(watched.conversationId);
    }
    return found;
  }

  #advance(key: string, watched: Watched): void {
    const { undelivered, unread, deliveredSeq, readSeq } = watched;
    while (undelivered.length > 0 && undelivered[0]!.seq! <= deliveredSeq) undelivered.shift()!.markDelivered();
    while (unread.length > 0 && unread[0]!.seq! <= readSeq) {
      const send = unread.shift()!;
      send.markRead();
      this.#tracked.delete(send);
    }
    if (unread.length === 0) this.#conversations.delete(key);
  }

  #forget(send: PendingSend): void {
    this.#tracked.delete(send);
    const key = toHex(send.conversationId);
    const watched = this.#conversations.get(key);
    if (watched === undefined) return;
    for (const list of [watched.undelivered, watched.unread]) {
      const index = list.indexOf(send);
      if (index >= 0) list.splice(index, 1);
    }
    if (watched.unread.length === 0) this.#conversations.delete(key);
  }
}

/** Sends are sequenced nearly always in order, so the place is found from the end. */
function insert(list: PendingSend[], send: PendingSend): void {
  let index = list.length;
  while (index > 0 && list[index - 1]!.seq! > send.seq!) index--;
  list.splice(index, 0, send);
}
