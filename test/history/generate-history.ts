import type { HistoryEvent, SeenMessage } from "./history-event.ts";
import { createSeededRandom, type SeededRandom } from "./seeded-random.ts";

interface PendingSend {
  readonly id: string;
  readonly user: string;
  readonly body: number;
  readonly batch: string | undefined;
}

interface ModelConversation {
  readonly name: string;
  readonly group: boolean;
  readonly log: SeenMessage[];
  /** Per user: the ranges [from, to) it may read; an open one ends at Infinity. */
  readonly ranges: Map<string, { from: number; to: number }[]>;
  /** On their way to the log; requests of several messages stay together. */
  readonly pending: PendingSend[][];
  /** Last seq shown, per user (one device each). */
  readonly shown: Map<string, number>;
}

/** How large a generated history is. */
export interface GenerateOptions {
  readonly seed: number;
  /** Random actions before everything settles; about five events each. */
  readonly actions: number;
  readonly users?: number;
}

const pageMessages = 20;

/** A model of a correct server and its clients. Every choice comes from the seed, so a seed is a history. */
class HistoryModel {
  readonly events: HistoryEvent[] = [];
  readonly #random: SeededRandom;
  readonly #users: readonly string[];
  readonly #conversations: ModelConversation[] = [];
  #timeUs = 1_000;
  #ids = 0;

  constructor(seed: number, users: number) {
    this.#random = createSeededRandom(seed);
    this.#users = Array.from({ length: users }, (_, i) => `user${i}`);
    for (const user of this.#users) this.#add({ kind: "connect", user, device: this.#device(user) });
    this.#open(false, this.#users.slice(0, 2));
    this.#open(true, this.#users.slice(0, -1));
    this.#open(true, this.#users.slice(1));
  }

  #device(user: string): string {
    return `${user}-device`;
  }

  #add(event: DistributiveOmit<HistoryEvent, "timeUs">): void {
    this.#timeUs += 1 + this.#random.below(5);
    this.events.push({ timeUs: this.#timeUs, ...event } as HistoryEvent);
  }

  #open(group: boolean, users: readonly string[]): void {
    const conversation: ModelConversation = {
      name: `${group ? "group" : "direct"}${this.#conversations.length}`,
      group,
      log: [],
      ranges: new Map(),
      pending: [],
      shown: new Map(),
    };
    this.#conversations.push(conversation);
    if (group) this.#change(conversation, users, true);
    else for (const user of users) this.#setRange(conversation, user, true, 1);
  }

  #setRange(conversation: ModelConversation, user: string, joined: boolean, seq: number): void {
    const ranges = conversation.ranges.get(user) ?? [];
    conversation.ranges.set(user, ranges);
    if (joined) ranges.push({ from: seq, to: Number.POSITIVE_INFINITY });
    else ranges.at(-1)!.to = seq;
    const kind = joined ? "joined" : "left";
    this.#add({ kind, user, conversation: conversation.name, seq, onLog: conversation.group });
  }

  #change(conversation: ModelConversation, users: readonly string[], joined: boolean): void {
    const seq = conversation.log.length + 1;
    conversation.log.push({ seq, id: this.#newId(), sender: "mesh", body: this.#random.below(1e9), system: true });
    for (const user of users) this.#setRange(conversation, user, joined, seq);
  }

  #newId(): string {
    return (++this.#ids).toString(16).padStart(32, "0");
  }

  #isMember(conversation: ModelConversation, user: string): boolean {
    return conversation.ranges.get(user)?.at(-1)?.to === Number.POSITIVE_INFINITY;
  }

  #invoke(conversation: ModelConversation, user: string): void {
    const size = this.#random.chance(0.2) ? 3 : 1;
    const batch = size > 1 ? `batch${this.#ids}` : undefined;
    const request = Array.from({ length: size }, () => ({
      id: this.#newId(),
      user,
      body: this.#random.below(1e9),
      batch,
    }));
    for (const { id, body } of request) {
      const event = {
        kind: "invoke",
        user,
        device: this.#device(user),
        conversation: conversation.name,
        id,
        body,
      } as const;
      this.#add(batch === undefined ? event : { ...event, batch });
      if (this.#random.chance(0.1)) this.#add(event);
    }
    conversation.pending.push(request);
  }

  /** A request reaches the log, or is lost on the way; its ack may be lost too. */
  #process(conversation: ModelConversation): void {
    const [request] = conversation.pending.splice(this.#random.below(conversation.pending.length), 1);
    if (request === undefined || this.#random.chance(0.05)) return;
    const acked = this.#random.chance(0.9);
    for (const { id, user, body } of request) {
      const on = { user, device: this.#device(user), conversation: conversation.name, id };
      if (conversation.group && !this.#isMember(conversation, user)) {
        this.#add({ kind: "refused", ...on, error: "NOT_A_MEMBER" });
        continue;
      }
      const seq = conversation.log.length + 1;
      conversation.log.push({ seq, id, sender: user, body, system: false });
      if (acked) this.#add({ kind: "ack", ...on });
      if (acked) this.#add({ kind: "settled", ...on, seq, conflict: false });
    }
  }

  #readable(conversation: ModelConversation, user: string): SeenMessage[] {
    const ranges = conversation.ranges.get(user) ?? [];
    return ranges.flatMap(({ from, to }) =>
      conversation.log.slice(from - 1, Math.min(to - 1, conversation.log.length)),
    );
  }

  #show(conversation: ModelConversation, user: string, limit: number): void {
    const shown = conversation.shown.get(user) ?? 0;
    const ranges = conversation.ranges.get(user) ?? [];
    const next: SeenMessage[] = [];
    for (const { from, to } of ranges) {
      const end = Math.min(to - 1, conversation.log.length);
      for (let seq = Math.max(from, shown + 1); seq <= end && next.length < limit; seq++)
        next.push(conversation.log[seq - 1]!);
    }
    for (const message of next)
      this.#add({ kind: "receive", user, device: this.#device(user), conversation: conversation.name, message });
    if (next.length > 0) conversation.shown.set(user, next.at(-1)!.seq);
  }

  #fetch(conversation: ModelConversation, user: string, final: boolean): void {
    const messages = this.#readable(conversation, user);
    const on = { user, device: this.#device(user), conversation: conversation.name, final };
    const headSeq = messages.at(-1)?.seq ?? 0;
    for (let at = final ? 0 : Math.max(0, messages.length - pageMessages); at < messages.length; at += pageMessages)
      this.#add({ kind: "fetch", ...on, headSeq, messages: messages.slice(at, at + pageMessages) });
  }

  #changeSomebody(conversation: ModelConversation): void {
    const user = this.#random.pick(this.#users);
    this.#change(conversation, [user], !this.#isMember(conversation, user));
  }

  #act(): void {
    const conversation = this.#random.pick(this.#conversations);
    const user = this.#random.pick([...conversation.ranges.keys()]);
    const choice = this.#random.next();
    if (choice < 0.35 && this.#isMember(conversation, user)) this.#invoke(conversation, user);
    else if (choice < 0.65 && conversation.pending.length > 0) this.#process(conversation);
    else if (choice < 0.93) this.#show(conversation, user, 1 + this.#random.below(4));
    else if (choice < 0.96) this.#fetch(conversation, user, false);
    else if (choice < 0.98 && conversation.group) this.#changeSomebody(conversation);
    else for (const kind of ["close", "connect"] as const) this.#add({ kind, user, device: this.#device(user) });
  }

  run(actions: number): HistoryEvent[] {
    for (let i = 0; i < actions; i++) this.#act();
    for (const conversation of this.#conversations) {
      while (conversation.pending.length > 0) this.#process(conversation);
      for (const user of conversation.ranges.keys()) {
        this.#show(conversation, user, conversation.log.length);
        this.#fetch(conversation, user, true);
      }
    }
    return this.events;
  }
}

type DistributiveOmit<T, K extends keyof HistoryEvent> = T extends unknown ? Omit<T, K> : never;

/** A random history of a correct server: lost requests, lost acks, resends, members that come and go, lagging devices. */
export function generateHistory({ seed, actions, users = 5 }: GenerateOptions): HistoryEvent[] {
  return new HistoryModel(seed, users).run(actions);
}
