import type { FindingKind } from "./findings.ts";
import type { FetchEvent, HistoryEvent, ReceiveEvent, SeenMessage } from "./history-event.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** One way to break a valid history. `apply` answers undefined when the history offers no place for it. */
export interface Mutation {
  readonly name: string;
  /** What the checker must find, at least. */
  readonly expected: FindingKind;
  apply(events: readonly HistoryEvent[], random: SeededRandom): HistoryEvent[] | undefined;
}

type Rewrite = (message: SeenMessage, user: string) => SeenMessage | undefined;

/** Rewrites messages of one conversation wherever they were seen; undefined removes one. */
export function rewriteSeen(events: readonly HistoryEvent[], conversation: string, rewrite: Rewrite): HistoryEvent[] {
  return events.flatMap((event): HistoryEvent[] => {
    if (!("conversation" in event) || event.conversation !== conversation) return [event];
    if (event.kind === "receive") {
      const message = rewrite(event.message, event.user);
      return message === undefined ? [] : [{ ...event, message }];
    }
    if (event.kind !== "fetch") return [event];
    return [{ ...event, messages: event.messages.flatMap((message) => rewrite(message, event.user) ?? []) }];
  });
}

/** Swaps two seqs everywhere, settled events included, and keeps pages and views in order of seq. */
export function swapSeqs(
  events: readonly HistoryEvent[],
  conversation: string,
  a: SeenMessage,
  b: SeenMessage,
): HistoryEvent[] {
  const swapped = rewriteSeen(events, conversation, (message) => {
    if (message.seq === a.seq) return { ...b, seq: a.seq };
    return message.seq === b.seq ? { ...a, seq: b.seq } : message;
  });
  return swapped.map((event) => {
    if (event.kind !== "settled" || event.conversation !== conversation) return event;
    if (event.id === a.id) return { ...event, seq: b.seq };
    return event.id === b.id ? { ...event, seq: a.seq } : event;
  });
}

/** The final reads that hold something. */
export const finals = (events: readonly HistoryEvent[]): FetchEvent[] =>
  events.filter((event): event is FetchEvent => event.kind === "fetch" && event.final && event.messages.length > 0);

/** What applications were shown. */
export const receives = (events: readonly HistoryEvent[]): ReceiveEvent[] =>
  events.filter((event): event is ReceiveEvent => event.kind === "receive");

/** Ids with an ack. */
export const ackedIds = (events: readonly HistoryEvent[]): Set<string> =>
  new Set(events.flatMap((event) => (event.kind === "ack" ? [event.id] : [])));

/** A message of a final read that satisfies `wanted`, with its read. */
export function pickFinal(
  events: readonly HistoryEvent[],
  random: SeededRandom,
  wanted: (message: SeenMessage) => boolean,
): { read: FetchEvent; message: SeenMessage } | undefined {
  const found = finals(events).flatMap((read) => read.messages.filter(wanted).map((message) => ({ read, message })));
  return found.length === 0 ? undefined : random.pick(found);
}

/** Whether a user wrote it. */
export const isUser = (message: SeenMessage): boolean => !message.system;

/** Two receive events of one device and conversation, one right after the other. */
export function adjacentReceives(
  events: readonly HistoryEvent[],
  random: SeededRandom,
): [ReceiveEvent, ReceiveEvent] | undefined {
  const last = new Map<string, ReceiveEvent>();
  const pairs: [ReceiveEvent, ReceiveEvent][] = [];
  for (const event of receives(events)) {
    const key = `${event.device} ${event.conversation}`;
    const before = last.get(key);
    if (before !== undefined) pairs.push([before, event]);
    last.set(key, event);
  }
  return pairs.length === 0 ? undefined : random.pick(pairs);
}

/** Two messages of one conversation that everybody may read alike, chosen by `wanted`. */
export function pickPair(
  events: readonly HistoryEvent[],
  random: SeededRandom,
  wanted: (a: SeenMessage, b: SeenMessage) => boolean,
): { conversation: string; a: SeenMessage; b: SeenMessage } | undefined {
  const found = finals(events).flatMap((read) => {
    const users = read.messages.filter(isUser);
    return users.flatMap((a, i) =>
      users.slice(i + 1).flatMap((b) => (wanted(a, b) ? [{ conversation: read.conversation, a, b }] : [])),
    );
  });
  return found.length === 0 ? undefined : random.pick(found);
}

/** Changes the messages of one read. */
export function changeOneRead(
  events: readonly HistoryEvent[],
  read: FetchEvent,
  change: (messages: readonly SeenMessage[]) => SeenMessage[],
): HistoryEvent[] {
  return events.map((event) => (event === read ? { ...read, messages: change(read.messages) } : event));
}
