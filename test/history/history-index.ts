import { type Interval, intervalsOf, type MembershipStep } from "./entitlement.ts";
import type { HistoryEvent, InvokeEvent, MembershipEvent } from "./history-event.ts";

/** One client message id in one conversation. */
export interface SendRecord {
  readonly id: string;
  readonly sender: string;
  readonly batch: string | undefined;
  /** Checksums of all bodies given with this id; more than one only in tests of conflicts. */
  readonly bodies: number[];
  readonly invokedUs: number;
  /** First ack; Infinity when there was none. */
  ackedUs: number;
  refused: boolean;
  /** Seq of its first sighting; 0 = never seen. */
  seq: number;
}

/** What stands at a seq, by its first sighting; body is undefined while only a settled event spoke of it. */
export interface Placed {
  readonly id: string;
  body: number | undefined;
}

/** What one user read of one conversation at the end. */
export interface FinalRead {
  readonly seqs: Set<number>;
  head: number;
}

/** What the application of one device was shown of one conversation. */
export interface AppView {
  readonly user: string;
  readonly shown: Set<number>;
  last: number;
}

/** Everything known of one conversation. */
export interface ConversationIndex {
  readonly name: string;
  readonly sends: Map<string, SendRecord>;
  readonly bySeq: Map<number, Placed>;
  readonly seqOfSystemId: Map<string, number>;
  readonly intervals: Map<string, readonly Interval[]>;
  /** Seqs of the membership records. */
  readonly changes: Set<number>;
  readonly finalReads: Map<string, FinalRead>;
  readonly views: Map<string, AppView>;
  /** Highest seq anybody was told of. */
  head: number;
}

/** A history by conversation, plus the devices of each user. */
export interface HistoryIndex {
  readonly conversations: ReadonlyMap<string, ConversationIndex>;
  readonly devices: ReadonlyMap<string, ReadonlySet<string>>;
}

const emptyConversation = (name: string): ConversationIndex => ({
  name,
  sends: new Map(),
  bySeq: new Map(),
  seqOfSystemId: new Map(),
  intervals: new Map(),
  changes: new Set(),
  finalReads: new Map(),
  views: new Map(),
  head: 0,
});

function addInvoke(conversation: ConversationIndex, event: InvokeEvent): void {
  const known = conversation.sends.get(event.id);
  if (known !== undefined) {
    if (!known.bodies.includes(event.body)) known.bodies.push(event.body);
    return;
  }
  conversation.sends.set(event.id, {
    id: event.id,
    sender: event.user,
    batch: event.batch,
    bodies: [event.body],
    invokedUs: event.timeUs,
    ackedUs: Number.POSITIVE_INFINITY,
    refused: false,
    seq: 0,
  });
}

/** First pass: what was asked for and who may read what. What was seen is judged in the second pass. */
export function indexHistory(events: readonly HistoryEvent[]): HistoryIndex {
  const conversations = new Map<string, ConversationIndex>();
  const devices = new Map<string, Set<string>>();
  const steps = new Map<ConversationIndex, Map<string, MembershipStep[]>>();
  const addMembership = (conversation: ConversationIndex, event: MembershipEvent): void => {
    if (event.onLog) conversation.changes.add(event.seq);
    const ofConversation = getOrAdd(steps, conversation, () => new Map<string, MembershipStep[]>());
    const step = { seq: event.seq, joined: event.kind === "joined" };
    getOrAdd(ofConversation, event.user, () => []).push(step);
  };
  for (const event of events) {
    if ("device" in event) getOrAdd(devices, event.user, () => new Set<string>()).add(event.device);
    if (!("conversation" in event)) continue;
    const conversation = getOrAdd(conversations, event.conversation, () => emptyConversation(event.conversation));
    if (event.kind === "invoke") addInvoke(conversation, event);
    if (event.kind === "joined" || event.kind === "left") addMembership(conversation, event);
  }
  for (const [conversation, users] of steps)
    for (const [user, list] of users) conversation.intervals.set(user, intervalsOf(list));
  return { conversations, devices };
}

/** The value at `key`, made when it is missing. */
export function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
