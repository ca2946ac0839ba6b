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

/** An Observer that reports to `findings`. */
export function createObserver(findings: Findings): Observer {
  const place = (conversation: ConversationIndex, seq: number, id: string, body: number | undefined): void => {
    if (seq > conversation.head) conversation.head = seq;
    const placed = getOrAdd(conversation.bySeq, seq, () => ({ id, body }));
    const where = `${conversation.name} seq ${seq}`;
    if (placed.id !== id) findings.add("duplicate", `${where} ids`, `${where} holds ids ${placed.id} and ${id}`);
    else if (placed.body === undefined) placed.body = body;
    else if (body !== undefined && placed.body !== body)
      findings.add("duplicate", `${where} bodies`, `${where} id ${id} was seen with two bodies`);
  };

  const placeId = (conversation: ConversationIndex, id: string, seq: number, known: number): void => {
    if (known === 0 || known === seq) return;
    const text = `${conversation.name} id ${id} has seqs ${known} and ${seq}`;
    findings.add("duplicate", `${conversation.name} id ${id}`, text);
  };

  const seeSystem = (conversation: ConversationIndex, message: SeenMessage): void => {
    placeId(conversation, message.id, message.seq, conversation.seqOfSystemId.get(message.id) ?? 0);
    conversation.seqOfSystemId.set(message.id, message.seq);
    if (conversation.changes.has(message.seq) && !conversation.sends.has(message.id)) return;
    const text = `${conversation.name} seq ${message.seq}: a system message that no change of members made`;
    findings.add("phantom", `${conversation.name} ${message.seq}`, text);
  };

  const seeUser = (conversation: ConversationIndex, message: SeenMessage): void => {
    const { id, seq, body, sender } = message;
    const phantom = (why: string): void =>
      findings.add("phantom", `${conversation.name} ${id}`, `${conversation.name} seq ${seq} id ${id} ${why}`);
    const send = conversation.sends.get(id);
    if (send === undefined) {
      phantom("was never invoked");
      return;
    }
    placeId(conversation, id, seq, send.seq);
    if (send.seq === 0) send.seq = seq;
    if (!send.bodies.includes(body)) phantom("has a body that nobody sent");
    if (send.sender !== sender) phantom(`is said to be of ${sender} but was sent by ${send.sender}`);
    if (send.refused) phantom("was refused for good");
  };

  const see = (conversation: ConversationIndex, user: string, message: SeenMessage): void => {
    place(conversation, message.seq, message.id, message.body);
    if (message.system) seeSystem(conversation, message);
    else seeUser(conversation, message);
    if (isEntitled(conversation.intervals.get(user) ?? [], message.seq)) return;
    const text = `${user} saw ${conversation.name} seq ${message.seq} outside its membership`;
    findings.add("unauthorised", `${user} ${conversation.name} ${message.seq}`, text);
  };

  return {
    ack(conversation, event) {
      const send = conversation.sends.get(event.id);
      if (send === undefined) {
        const text = `${conversation.name} id ${event.id} was acked but never invoked`;
        findings.add("phantom", `${conversation.name} ${event.id}`, text);
      } else if (event.timeUs < send.ackedUs) send.ackedUs = event.timeUs;
    },

    refused(conversation, event) {
      const send = conversation.sends.get(event.id);
      if (send === undefined) return;
      send.refused = true;
      if (send.seq === 0) return;
      const text = `${conversation.name} seq ${send.seq} id ${event.id} was refused for good (${event.error})`;
      findings.add("phantom", `${conversation.name} ${event.id}`, text);
    },

    settled(conversation, { id, seq, conflict }) {
      place(conversation, seq, id, undefined);
      const send = conversation.sends.get(id);
      const key = `${conversation.name} ${id}`;
      if (send === undefined) {
        findings.add("phantom", key, `${key} was settled but never invoked`);
        return;
      }
      placeId(conversation, id, seq, send.seq);
      if (send.seq === 0) send.seq = seq;
      if (conflict && send.bodies.length < 2)
        findings.add("conflict", key, `${key} settled as a conflict, yet had one body only`);
    },

    receive(conversation, { device, user, message }) {
      see(conversation, user, message);
      const view = getOrAdd(conversation.views, device, () => ({ user, shown: new Set<number>(), last: 0 }));
      const expected = nextEntitled(conversation.intervals.get(user) ?? [], view.last);
      const where = `${device} in ${conversation.name}`;
      const { seq } = message;
      if (view.shown.has(seq)) findings.add("duplicate", `${where} ${seq}`, `${where} was shown seq ${seq} twice`);
      else if (seq <= view.last)
        findings.add("reordered", `${where} ${seq}`, `${where} was shown seq ${seq} after ${view.last}`);
      else if (seq > expected)
        findings.add("hole", `${where} ${seq}`, `${where} jumped from ${view.last} to ${seq}`, seq - expected);
      view.shown.add(seq);
      view.last = Math.max(view.last, seq);
    },

    fetch(conversation, { user, messages, final, headSeq }) {
      if (headSeq > conversation.head) conversation.head = headSeq;
      let previous = 0;
      for (const message of messages) {
        see(conversation, user, message);
        if (message.seq <= previous) {
          const text = `${user} read ${conversation.name} seq ${message.seq} after ${previous} in one page`;
          findings.add("reordered", `${user} ${conversation.name} page ${message.seq}`, text);
        }
        previous = message.seq;
      }
      if (!final) return;
      const read = getOrAdd(conversation.finalReads, user, () => ({ seqs: new Set<number>(), head: 0 }));
      for (const { seq } of messages) read.seqs.add(seq);
      read.head = Math.max(read.head, headSeq, previous);
    },
  };
}
