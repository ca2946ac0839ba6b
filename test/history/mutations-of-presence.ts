import type { FetchEvent } from "./history-event.ts";
import {
  ackedIds,
  adjacentReceives,
  changeOneRead,
  finals,
  type Mutation,
  pickFinal,
  pickPair,
  receives,
  rewriteSeen,
} from "./mutation.ts";

/** Messages that go missing. */
export const dropping: readonly Mutation[] = [
  {
    name: "drop from one final read",
    expected: "lost",
    apply(events, random) {
      const acked = ackedIds(events);
      const found = pickFinal(events, random, (message) => acked.has(message.id));
      if (found === undefined) return undefined;
      return changeOneRead(events, found.read, (list) => list.filter((message) => message !== found.message));
    },
  },
  {
    name: "drop everywhere",
    expected: "lost",
    apply(events, random) {
      const acked = ackedIds(events);
      const found = pickFinal(events, random, (message) => acked.has(message.id));
      if (found === undefined) return undefined;
      const { id } = found.message;
      const rest = events.filter((event) => event.kind !== "settled" || event.id !== id);
      return rewriteSeen(rest, found.read.conversation, (message) => (message.id === id ? undefined : message));
    },
  },
  {
    name: "drop a system message from one final read",
    expected: "hole",
    apply(events, random) {
      const found = pickFinal(events, random, (message) => message.system);
      if (found === undefined) return undefined;
      return changeOneRead(events, found.read, (list) => list.filter((message) => message !== found.message));
    },
  },
  {
    name: "ack what never arrived",
    expected: "lost",
    apply(events) {
      const seen = new Set(finals(events).flatMap((read) => read.messages.map((message) => message.id)));
      const refused = new Set(events.flatMap((event) => (event.kind === "refused" ? [event.id] : [])));
      const invoke = events.find((event) => event.kind === "invoke" && !seen.has(event.id) && !refused.has(event.id));
      if (invoke?.kind !== "invoke") return undefined;
      const { user, device, conversation, id } = invoke;
      return [...events, { kind: "ack", timeUs: events.at(-1)!.timeUs + 1, user, device, conversation, id }];
    },
  },
  {
    name: "skip at the application",
    expected: "hole",
    apply(events, random) {
      const pair = adjacentReceives(events, random);
      return pair && events.filter((event) => event !== pair[0]);
    },
  },
  {
    name: "stop before the head",
    expected: "behind",
    apply(events) {
      const last = receives(events).at(-1);
      return last && events.filter((event) => event !== last);
    },
  },
  {
    name: "no final read",
    expected: "incomplete",
    apply(events, random) {
      const reads = finals(events);
      if (reads.length === 0) return undefined;
      const { user, conversation } = random.pick(reads);
      return events.filter(
        (event) => event.kind !== "fetch" || event.user !== user || event.conversation !== conversation,
      );
    },
  },
];

/** Messages that come twice. */
export const repeating: readonly Mutation[] = [
  {
    name: "show twice",
    expected: "duplicate",
    apply(events, random) {
      const list = receives(events);
      if (list.length === 0) return undefined;
      const again = random.pick(list);
      return [...events, { ...again, timeUs: events.at(-1)!.timeUs + 1 }];
    },
  },
  {
    name: "one id at two seqs",
    expected: "duplicate",
    apply(events, random) {
      const pair = pickPair(events, random, () => true);
      if (pair === undefined) return undefined;
      const { conversation, a, b } = pair;
      return rewriteSeen(events, conversation, (message) => (message.seq === b.seq ? { ...a, seq: b.seq } : message));
    },
  },
  {
    name: "two ids at one seq for two readers",
    expected: "duplicate",
    apply(events, random) {
      const pair = pickPair(events, random, () => true);
      if (pair === undefined) return undefined;
      const { conversation, a, b } = pair;
      const holds = (read: FetchEvent): boolean =>
        read.conversation === conversation && read.messages.some(({ seq }) => seq === a.seq || seq === b.seq);
      const read = random.pick(finals(events).filter(holds));
      return changeOneRead(events, read, (list) =>
        list.map((message) => {
          if (message.seq === a.seq) return { ...b, seq: a.seq };
          return message.seq === b.seq ? { ...a, seq: b.seq } : message;
        }),
      );
    },
  },
];
