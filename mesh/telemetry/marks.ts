import { uuidV7TimeMs } from "../ids/uuid-v7.ts";
import { limits } from "../limits.ts";
import { idWordAt } from "./id-word.ts";

/** A message whose hops are exported. Either the id or the place in the conversation may be missing for a while. */
export interface Mark {
  /** 16 bytes; empty = not known. */
  id: Uint8Array;
  /** conversationHashAt; 0 = not known. */
  conversation: number;
  seq: number;
  /** Hops before this are of no interest, Unix milliseconds. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The other processes are to know. */
  spread: boolean;
  /** What the client was in when it sent the message. */
  clientLink: { readonly traceId: string; readonly spanId: string } | undefined;
  /** The connection that sent it and was asked for its span; 0n = none. */
  askedOf: bigint;
  /** Devices got its trace context with the push. */
  isPushTraced: boolean;
  /** Places that are exported. */
  readonly places: Set<number>;
  /** Spans exported, by key. */
  readonly spans: Map<string, number>;
}

/** What is known of a message to be marked. */
export interface MarkFields {
  readonly id?: Uint8Array;
  readonly conversation?: number;
  readonly seq?: number;
}

const noId = new Uint8Array(0);
/** Clocks of two processes may differ by so much. */
const clockSkewMs = 1_000;

/** The low word of an id: the one that is all random. */
const wordOf = (id: Uint8Array): number => idWordAt(id, 12);

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** The marks of a process, limits.maxTraceMarks at most; each is forgotten after limits.traceMarkMs. */
export class Marks {
  readonly #byWord = new Map<number, Mark[]>();
  readonly #byConversation = new Map<number, Mark[]>();
  readonly #all = new Set<Mark>();
  /** Marks that did not fit. */
  dropped = 0;

  get size(): number {
    return this.#all.size;
  }

  all(): Iterable<Mark> {
    return this.#all;
  }

  /** The mark of the message, new or old, with what is known now; undefined when there are too many. */
  add(fields: MarkFields, nowMs: number, spread: boolean): Mark | undefined {
    const { id = noId, conversation = 0, seq = 0 } = fields;
    const known =
      (id.length > 0 ? this.ofId(id) : undefined) ??
      (seq > 0 ? this.#byConversation.get(conversation)?.find((mark) => mark.seq === seq) : undefined);
    if (known !== undefined) {
      this.complete(known, fields);
      return known;
    }
    if (this.#all.size >= limits.maxTraceMarks) {
      this.dropped++;
      return undefined;
    }
    const madeMs = id.length > 0 ? Math.min(nowMs, uuidV7TimeMs(id)) : 0;
    const sinceMs = Math.max(madeMs, nowMs - limits.slowMessageMaxMs) - clockSkewMs;
    const mark: Mark = {
      id: noId,
      conversation: 0,
      seq: 0,
      sinceMs,
      untilMs: nowMs + limits.traceMarkMs,
      spread,
      clientLink: undefined,
      askedOf: 0n,
      isPushTraced: false,
      places: new Set(),
      spans: new Map(),
    };
    this.#all.add(mark);
    this.complete(mark, fields);
    return mark;
  }

  /** Adds what is known now to a mark; answers whether that was news. */
  complete(mark: Mark, { id = noId, conversation = 0, seq = 0 }: MarkFields): boolean {
    let news = false;
    if (mark.id.length === 0 && id.length > 0) {
      mark.id = Uint8Array.from(id);
      add(this.#byWord, wordOf(id), mark);
      news = true;
    }
    if (mark.seq === 0 && seq > 0 && conversation !== 0) {
      mark.conversation = conversation;
      mark.seq = seq;
      add(this.#byConversation, conversation, mark);
      news = true;
    }
    return news;
  }

  /** The mark of a message by the low word of its id, and the id. */
  ofMessage(word: number, id: Uint8Array): Mark | undefined {
    return this.#byWord.get(word)?.find((mark) => equal(mark.id, id));
  }

  /** The mark of a message by its id. */
  ofId(id: Uint8Array): Mark | undefined {
    return this.ofMessage(wordOf(id), id);
  }

  /** Marks with this low word of an id. */
  withWord(word: number): readonly Mark[] | undefined {
    return this.#byWord.get(word);
  }

  /** Whether a marked message of the conversation has a seq between these. */
  holds(conversation: number, firstSeq: number, lastSeq: number): boolean {
    const marks = this.#byConversation.get(conversation);
    return marks?.some(({ seq }) => firstSeq <= seq && seq <= lastSeq) ?? false;
  }

  /** Marks of a conversation. */
  inConversation(conversation: number): readonly Mark[] | undefined {
    return this.#byConversation.get(conversation);
  }

  /** Forgets what is over. */
  expire(nowMs: number): void {
    for (const mark of this.#all) {
      if (mark.untilMs > nowMs) continue;
      this.#all.delete(mark);
      if (mark.id.length > 0) remove(this.#byWord, wordOf(mark.id), mark);
      if (mark.seq > 0) remove(this.#byConversation, mark.conversation, mark);
    }
  }
}

function add(map: Map<number, Mark[]>, key: number, mark: Mark): void {
  const marks = map.get(key);
  if (marks === undefined) map.set(key, [mark]);
  else marks.push(mark);
}

function remove(map: Map<number, Mark[]>, key: number, mark: Mark): void {
  const left = map.get(key)?.filter((one) => one !== mark) ?? [];
  if (left.length === 0) map.delete(key);
  else map.set(key, left);
}
