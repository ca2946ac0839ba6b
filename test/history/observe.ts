import { isEntitled, nextEntitled } from "./entitlement.ts";
import type { Findings } from "./findings.ts";
import type { AckEvent, FetchEvent, ReceiveEvent, RefusedEvent, SeenMessage, SettledEvent } from "./history-event.ts";
import { type ConversationIndex, getOrAdd } from "./history-index.ts";

/** Second pass: takes in what clients saw, and judges what one sighting alone, or against earlier ones, can show. */
export interface Observer {
  ack(conversation: ConversationIndex, event: AckEvent): void;
  refused(conversation: ConversationIndex, event: RefusedEvent): void;
  settled(conversation: ConversationIndex, event: SettledEvent): void;
  receive(conversation: ConversationIndex, event: ReceiveEvent): void;
  fetch(conversation: ConversationIndex, event: FetchEvent): void;
}

class HistoryObserver implements Observer {
  readonly #findings: Findings;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  #place(conversation: ConversationIndex, seq: number, id: string, body: number | undefined): void {
    if (seq > conversation.head) conversation.head = seq;
    const placed = getOrAdd(conversation.bySeq, seq, () => ({ id, body }));
    const where = `${conversation.name} seq ${seq}`;
    if (placed.id !== id) this.#findings.add("duplicate", `${where} ids`, `${where} holds ids ${placed.id} and ${id}`);
    else if (placed.body === undefined) placed.body = body;
    else if (body !== undefined && placed.body !== body)
      this.#findings.add("duplicate", `${where} bodies`, `${where} id ${id} was seen with two bodies`);
  }

  #placeId(conversation: ConversationIndex, id: string, seq: number, known: number): void {
    if (known === 0 || known === seq) return;
    const text = `${conversation.name} id ${id} has seqs ${known} and ${seq}`;
    this.#findings.add("duplicate", `${conversation.name} id ${id}`, text);
  }

  #seeSystem(conversation: ConversationIndex, message: SeenMessage): void {
    this.#placeId(conversation, message.id, message.seq, conversation.seqOfSystemId.get(message.id) ?? 0);
    conversation.seqOfSystemId.set(message.id, message.seq);
    if (conversation.changes.has(message.seq) && !conversation.sends.has(message.id)) return;
    const text = `${conversation.name} seq ${message.seq}: a system message that no change of members made`;
    this.#findings.add("phantom", `${conversation.name} ${message.seq}`, text);
  }

  #seeUser(conversation: ConversationIndex, message: SeenMessage): void {
    const { id, seq, body, sender } = message;
    const phantom = (why: string): void =>
      this.#findings.add("phantom", `${conversation.name} ${id}`, `${conversation.name} seq ${seq} id ${id} ${why}`);
    const send = conversation.sends.get(id);
    if (send === undefined) {
      phantom("was never invoked");
      return;
    }
    this.#placeId(conversation, id, seq, send.seq);
    if (send.seq === 0) send.seq = seq;
    if (!send.bodies.includes(body)) phantom("has a body that nobody sent");
    if (send.sender !== sender) phantom(`is said to be of ${sender} but was sent by ${send.sender}`);
    if (send.refused) phantom("was refused for good");
  }

  #see(conversation: ConversationIndex, user: string, message: SeenMessage): void {
    this.#place(conversation, message.seq, message.id, message.body);
    if (message.system) this.#seeSystem(conversation, message);
    else this.#seeUser(conversation, message);
    if (isEntitled(conversation.intervals.get(user) ?? [], message.seq)) return;
    const text = `${user} saw ${conversation.name} seq ${message.seq} outside its membership`;
    this.#findings.add("unauthorised", `${user} ${conversation.name} ${message.seq}`, text);
  }

  ack(conversation: ConversationIndex, event: AckEvent): void {
    const send = conversation.sends.get(event.id);
    if (send === undefined) {
      const text = `${conversation.name} id ${event.id} was acked but never invoked`;
      this.#findings.add("phantom", `${conversation.name} ${event.id}`, text);
    } else if (event.timeUs < send.ackedUs) send.ackedUs = event.timeUs;
  }

  refused(conversation: ConversationIndex, event: RefusedEvent): void {
    const send = conversation.sends.get(event.id);
    if (send === undefined) return;
    send.refused = true;
    if (send.seq === 0) return;
    const text = `${conversation.name} seq ${send.seq} id ${event.id} was refused for good (${event.error})`;
    this.#findings.add("phantom", `${conversation.name} ${event.id}`, text);
  }

  settled(conversation: ConversationIndex, { id, seq, conflict }: SettledEvent): void {
    this.#place(conversation, seq, id, undefined);
    const send = conversation.sends.get(id);
    const key = `${conversation.name} ${id}`;
    if (send === undefined) {
      this.#findings.add("phantom", key, `${key} was settled but never invoked`);
      return;
    }
    this.#placeId(conversation, id, seq, send.seq);
    if (send.seq === 0) send.seq = seq;
    if (conflict && send.bodies.length < 2)
      this.#findings.add("conflict", key, `${key} settled as a conflict, yet had one body only`);
  }

  receive(conversation: ConversationIndex, { device, user, message }: ReceiveEvent): void {
    this.#see(conversation, user, message);
    const view = getOrAdd(conversation.views, device, () => ({ user, shown: new Set<number>(), last: 0 }));
    const expected = nextEntitled(conversation.intervals.get(user) ?? [], view.last);
    const where = `${device} in ${conversation.name}`;
    const { seq } = message;
    if (view.shown.has(seq)) this.#findings.add("duplicate", `${where} ${seq}`, `${where} was shown seq ${seq} twice`);
    else if (seq <= view.last)
      this.#findings.add("reordered", `${where} ${seq}`, `${where} was shown seq ${seq} after ${view.last}`);
    else if (seq > expected)
      this.#findings.add("hole", `${where} ${seq}`, `${where} jumped from ${view.last} to ${seq}`, seq - expected);
    view.shown.add(seq);
    view.last = Math.max(view.last, seq);
  }

  fetch(conversation: ConversationIndex, { user, messages, final, headSeq }: FetchEvent): void {
    if (headSeq > conversation.head) conversation.head = headSeq;
    let previous = 0;
    for (const message of messages) {
      this.#see(conversation, user, message);
      if (message.seq <= previous) {
        const text = `${user} read ${conversation.name} seq ${message.seq} after ${previous} in one page`;
        this.#findings.add("reordered", `${user} ${conversation.name} page ${message.seq}`, text);
      }
      previous = message.seq;
    }
    if (!final) return;
    const read = getOrAdd(conversation.finalReads, user, () => ({ seqs: new Set<number>(), head: 0 }));
    for (const { seq } of messages) read.seqs.add(seq);
    read.head = Math.max(read.head, headSeq, previous);
  }
}

/** An Observer that reports to `findings`. */
export function createObserver(findings: Findings): Observer {
  return new HistoryObserver(findings);
}
