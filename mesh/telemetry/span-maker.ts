import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { limits } from "../limits.ts";
import type { ClientSpanFields } from "./client-hop.ts";
import type { HopRing } from "./hop-ring.ts";
import { clientSpanKeyOf, type HopSpan, hopFlags, type SpanPlace, spanKeyOf, toSpan } from "./hop-spans.ts";
import { type Mark, type MarkFields, Marks } from "./marks.ts";
import { type Match, matchMarks } from "./match-marks.ts";
import { spanIdOf } from "./span-id.ts";
import type { SpanSink } from "./span-sink.ts";
import { traceIdHex } from "./trace-context.ts";

/** Asks the client of a connection for its span of a message it sent; false = it is not there. */
export type AskClient = (connectionId: bigint, clientMessageId: Uint8Array) => boolean;

/** What createSpanMaker needs. */
export interface SpanMakerOptions {
  readonly ring: HopRing;
  readonly sink: SpanSink;
  readonly place: SpanPlace;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Takes marks to the other processes. */
  readonly onSpread: (marks: readonly Mark[]) => void;
  /** Asks the client of a connection for its span of a message it sent; false = it is not there. */
  readonly askClient: AskClient;
}

/** A hop that is not over may take until shortly before its mark ends. */
const unfinishedMs = 1_000;

/** Hops whose entries of one moment are one batch. */
const batchHops: ReadonlySet<number> = new Set([
  Hop.LOG_APPEND,
  Hop.SEQUENCE,
  Hop.COMMIT,
  Hop.PUSH_APPEND,
  Hop.RESOLVE,
  Hop.PUSH_WORKER,
]);

/**
 * Makes the spans of marked messages out of the ring, a little after the fact. While nothing is marked it does nothing, not
 * even wake up.
 */
export class SpanMaker {
  readonly marks: Marks = new Marks();
  readonly #options: SpanMakerOptions;
  #spread: Mark[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lateTokens: number = limits.lateMarksPerSecond;
  #lateAtMs = 0;
  /** Spans given to the sink. */
  emitted = 0;

  constructor(options: SpanMakerOptions) {
    this.#options = options;
  }

  /** Marks a message. `spread` = other processes do not come to know by themselves. */
  mark(fields: MarkFields, spread: boolean): Mark | undefined {
    const before = this.marks.size;
    const mark = this.marks.add(fields, this.#options.now(), spread);
    if (mark !== undefined && spread && this.marks.size > before) this.#spread.push(mark);
    this.#timer ??= setTimeout(() => this.flush(), limits.traceFlushMs).unref();
    return mark;
  }

  /** Marks a late or failed message, unless there were too many of them; answers whether it did. */
  markLate(fields: MarkFields, nowMs: number): boolean {
    const refill = ((nowMs - this.#lateAtMs) * limits.lateMarksPerSecond) / 1_000;
    this.#lateTokens = Math.min(limits.lateMarksPerSecond, this.#lateTokens + Math.max(0, refill));
    this.#lateAtMs = nowMs;
    if (this.#lateTokens < 1) return false;
    this.#lateTokens--;
    return this.mark(fields, true) !== undefined;
  }

  /** A client tells of a message: taken once, of one that is marked here, and from a connection that was asked or pushed to. */
  addClientSpan({ hop, clientMessageId: id, startMs, endMs }: ClientSpanFields, connectionId: bigint): void {
    const mark = this.marks.ofId(id);
    if (mark === undefined || mark.places.size >= limits.maxSpansPerTrace) return;
    const isAwaited =
      hop === Hop.CLIENT_SEND
        ? mark.askedOf === connectionId
        : mark.spans.has(clientSpanKeyOf(Hop.DEVICE_PUSHED, connectionId));
    if (!isAwaited || mark.spans.has(clientSpanKeyOf(hop, connectionId))) return;
    const { ring } = this.#options;
    const place = ring.next;
    const at = ring.addMessage(hop, startMs, endMs, id, 0);
    ring.conversation[at] = mark.conversation;
    ring.connection[at] = connectionId;
    mark.places.add(place);
    this.#emitOne({ mark, place, at }, []);
  }

  /** Makes the spans of what is marked now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { ring, now, onSpread } = this.#options;
    const [nowMs, startMs] = [now(), performance.now()];
    const matches = matchMarks(ring, this.marks, (mark) => mark.spread && this.#spread.push(mark));
    this.#emit(matches, nowMs);
    for (let at = 0; at < this.#spread.length; at += limits.maxMarksPerCall)
      onSpread(this.#spread.slice(at, at + limits.maxMarksPerCall));
    this.#spread = [];
    this.marks.expire(nowMs);
    if (this.marks.size === 0) return;
    // Many marks make a flush long: then it comes more rarely, so that following messages never crowds out sending them.
    const waitMs = Math.max(limits.traceFlushMs, (performance.now() - startMs) * limits.traceFlushShare);
    this.#timer = setTimeout(() => this.flush(), Math.min(waitMs, limits.traceMarkMs / 2)).unref();
  }

  close(): Promise<void> {
    if (this.marks.size > 0) this.flush();
    clearTimeout(this.#timer);
    return this.#options.sink.close();
  }

  #emit(matches: readonly Match[], nowMs: number): void {
    const { ring } = this.#options;
    const fresh = matches.filter((match) => this.#isDue(match, nowMs));
    const batches = groupBatches(ring, fresh);
    for (const match of fresh) {
      this.#askClient(match);
      this.#emitOne(match, [...linksOf(ring, match, batches), ...clientLinks(ring, match)]);
    }
  }

  #emitOne(match: Match, links: HopSpan["links"]): void {
    const { ring, sink, place } = this.#options;
    const { mark, at } = match;
    const key = spanKeyOf(ring, at);
    const attempt = mark.spans.get(key) ?? 0;
    mark.spans.set(key, attempt + 1);
    // Acknowledgements are cumulative: those after the first say nothing new of this message.
    if (ring.hop[at] === Hop.DEVICE_ACK && attempt > 0) return;
    const span = toSpan(ring, match, { attempt, place, links });
    if (span === undefined) return;
    sink.emit(span);
    this.emitted++;
  }

  /** A client that has a span is asked for it: Login's hangs under it. */
  #askClient({ mark, at }: Match): void {
    const { ring, askClient } = this.#options;
    const hasSpan = ring.hop[at] === Hop.LOGIN_IN && (ring.flags[at]! & hopFlags.hasClientSpan) !== 0;
    if (!hasSpan || mark.askedOf !== 0n) return;
    const connectionId = ring.connection[at]!;
    if (askClient(connectionId, mark.id)) mark.askedOf = connectionId;
  }

  #isDue({ mark, place, at }: Match, nowMs: number): boolean {
    if (mark.id.length === 0 || mark.places.has(place) || mark.places.size >= limits.maxSpansPerTrace) return false;
    const isOver = this.#options.ring.endMs[at] !== 0;
    if (!isOver && nowMs < mark.untilMs - unfinishedMs) return false;
    mark.places.add(place);
    return true;
  }
}

const batchKey = (ring: HopRing, at: number): string => `${ring.hop[at]}@${ring.startMs[at]}`;

function groupBatches(ring: HopRing, matches: readonly Match[]): ReadonlyMap<string, readonly Match[]> {
  const batches = new Map<string, Match[]>();
  for (const match of matches) {
    if (!batchHops.has(ring.hop[match.at]!)) continue;
    const key = batchKey(ring, match.at);
    const batch = batches.get(key);
    if (batch === undefined) batches.set(key, [match]);
    else batch.push(match);
  }
  return batches;
}

/** The other traced messages of the same batch. */
function linksOf(ring: HopRing, match: Match, batches: ReadonlyMap<string, readonly Match[]>): HopSpan["links"] {
  const hop = ring.hop[match.at]!;
  const others = (batches.get(batchKey(ring, match.at)) ?? []).filter(({ mark }) => mark !== match.mark);
  return others.slice(0, limits.maxSpanLinks).map(({ mark, at }) => ({
    traceId: traceIdHex(mark.id),
    spanId: spanIdOf(mark.id, hop, hop === Hop.PUSH_WORKER ? ring.peer[at]! : 0),
  }));
}

function clientLinks(ring: HopRing, { mark, at }: Match): HopSpan["links"] {
  return ring.hop[at] === Hop.LOGIN_IN && mark.clientLink !== undefined ? [mark.clientLink] : [];
}
