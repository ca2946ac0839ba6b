import type { MembershipEvent } from "./history-event.ts";
import { changeOneRead, finals, isUser, type Mutation, pickFinal, receives, rewriteSeen } from "./mutation.ts";

/** Messages that nobody sent so, or that nobody may see. */
export const forging: readonly Mutation[] = [
  {
    name: "forge an id",
    expected: "phantom",
    apply(events, random) {
      const found = pickFinal(events, random, isUser);
      if (found === undefined) return undefined;
      const { read, message } = found;
      const id = "f".repeat(32);
      return rewriteSeen(events, read.conversation, (seen) => (seen.seq === message.seq ? { ...seen, id } : seen));
    },
  },
  {
    name: "forge a system message",
    expected: "phantom",
    apply(events, random) {
      const found = pickFinal(events, random, isUser);
      if (found === undefined) return undefined;
      const { read, message } = found;
      return rewriteSeen(events, read.conversation, (seen) =>
        seen.seq === message.seq ? { ...seen, system: true } : seen,
      );
    },
  },
  {
    name: "change a body for everybody",
    expected: "phantom",
    apply(events, random) {
      const found = pickFinal(events, random, isUser);
      if (found === undefined) return undefined;
      const { read, message } = found;
      return rewriteSeen(events, read.conversation, (seen) =>
        seen.seq === message.seq ? { ...seen, body: -1 } : seen,
      );
    },
  },
  {
    name: "change a system body for one reader",
    expected: "duplicate",
    apply(events, random) {
      const found = pickFinal(events, random, (message) => message.system);
      if (found === undefined) return undefined;
      const readers = finals(events).filter((read) => read.messages.some((seen) => seen.id === found.message.id));
      if (readers.length < 2) return undefined;
      return changeOneRead(events, found.read, (list) =>
        list.map((seen) => (seen === found.message ? { ...seen, body: -1 } : seen)),
      );
    },
  },
  {
    name: "change a sender",
    expected: "phantom",
    apply(events, random) {
      const found = pickFinal(events, random, isUser);
      if (found === undefined) return undefined;
      return changeOneRead(events, found.read, (list) =>
        list.map((seen) => (seen === found.message ? { ...seen, sender: "somebody-else" } : seen)),
      );
    },
  },
  {
    name: "refuse for good what is there",
    expected: "phantom",
    apply(events, random) {
      const found = pickFinal(events, random, isUser);
      if (found === undefined) return undefined;
      const invoke = events.find((event) => event.kind === "invoke" && event.id === found.message.id);
      if (invoke?.kind !== "invoke") return undefined;
      const { user, device, conversation, id } = invoke;
      const timeUs = events.at(-1)!.timeUs + 1;
      return [...events, { kind: "refused", timeUs, user, device, conversation, id, error: "NOT_A_MEMBER" }];
    },
  },
  {
    name: "settle as a conflict",
    expected: "conflict",
    apply(events, random) {
      const settled = events.filter((event) => event.kind === "settled");
      if (settled.length === 0) return undefined;
      const victim = random.pick(settled);
      return events.map((event) => (event === victim ? { ...victim, conflict: true } : event));
    },
  },
  {
    name: "read outside the membership",
    expected: "unauthorised",
    apply(events, random) {
      const left = events.filter((event): event is MembershipEvent => event.kind === "left");
      if (left.length === 0) return undefined;
      const { user, conversation, seq } = random.pick(left);
      const found = pickFinal(events, random, (message) => message.seq === seq && message.system);
      const leaving = finals(events).find((read) => read.user === user && read.conversation === conversation);
      if (found === undefined || found.read.conversation !== conversation || leaving === undefined) return undefined;
      return [...events, { ...leaving, final: false, messages: [found.message] }];
    },
  },
  {
    name: "show a group to a stranger",
    expected: "unauthorised",
    apply(events, random) {
      const list = receives(events);
      if (list.length === 0) return undefined;
      const seen = random.pick(list);
      return [...events, { ...seen, user: "stranger", device: "stranger-device" }];
    },
  },
];
