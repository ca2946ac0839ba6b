import type { SeenMessage } from "./history-event.ts";
import {
  adjacentReceives,
  changeOneRead,
  finals,
  isUser,
  type Mutation,
  pickFinal,
  pickPair,
  rewriteSeen,
  swapSeqs,
} from "./mutation.ts";

/** Messages in the wrong place. */
export const ordering: readonly Mutation[] = [
  {
    name: "swap at the application",
    expected: "reordered",
    apply(events, random) {
      const pair = adjacentReceives(events, random);
      if (pair === undefined) return undefined;
      const [first, second] = pair;
      return events.map((event) => {
        if (event === first) return { ...first, message: second.message };
        return event === second ? { ...second, message: first.message } : event;
      });
    },
  },
  {
    name: "swap the seqs of a send and one sent after its ack",
    expected: "reordered",
    apply(events, random) {
      const invoked = new Map<string, number>();
      const acked = new Map<string, number>();
      for (const event of events) {
        if (event.kind === "invoke" && !invoked.has(event.id)) invoked.set(event.id, event.timeUs);
        if (event.kind === "ack" && !acked.has(event.id)) acked.set(event.id, event.timeUs);
      }
      const after = (a: SeenMessage, b: SeenMessage): boolean =>
        (acked.get(a.id) ?? Number.POSITIVE_INFINITY) < invoked.get(b.id)!;
      const pair = pickPair(events, random, after);
      return pair && swapSeqs(events, pair.conversation, pair.a, pair.b);
    },
  },
  {
    name: "swap two sends of one request",
    expected: "reordered",
    apply(events, random) {
      const batches = new Map(events.flatMap((event) => (event.kind === "invoke" ? [[event.id, event.batch]] : [])));
      const together = (a: SeenMessage, b: SeenMessage): boolean =>
        batches.get(a.id) !== undefined && batches.get(a.id) === batches.get(b.id);
      const pair = pickPair(events, random, together);
      return pair && swapSeqs(events, pair.conversation, pair.a, pair.b);
    },
  },
  {
    name: "swap inside a page",
    expected: "reordered",
    apply(events, random) {
      const reads = finals(events).filter((read) => read.messages.length > 1);
      if (reads.length === 0) return undefined;
      const read = random.pick(reads);
      const at = random.below(read.messages.length - 1);
      return changeOneRead(events, read, (list) => [
        ...list.slice(0, at),
        list[at + 1]!,
        list[at]!,
        ...list.slice(at + 2),
      ]);
    },
  },
  {
    name: "shift for one reader",
    expected: "duplicate",
    apply(events, random) {
      const found = pickFinal(events, random, isUser);
      if (found === undefined) return undefined;
      const shift = (message: SeenMessage): SeenMessage =>
        message.seq >= found.message.seq ? { ...message, seq: message.seq + 1 } : message;
      return changeOneRead(events, found.read, (list) => list.map(shift));
    },
  },
  {
    name: "shift for everybody",
    expected: "hole",
    apply(events, random) {
      const found = pickFinal(events, random, isUser);
      if (found === undefined) return undefined;
      const from = found.message.seq;
      const { conversation } = found.read;
      const shift = <T extends { readonly seq: number }>(at: T): T =>
        at.seq >= from ? { ...at, seq: at.seq + 1 } : at;
      return rewriteSeen(events, conversation, shift).map((event) => {
        if (!("conversation" in event) || event.conversation !== conversation) return event;
        if (event.kind === "fetch") return event.headSeq >= from ? { ...event, headSeq: event.headSeq + 1 } : event;
        if (event.kind === "joined" || event.kind === "left") return event.onLog ? shift(event) : event;
        return event.kind === "settled" ? shift(event) : event;
      });
    },
  },
];
