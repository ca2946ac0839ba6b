import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { limits } from "../limits.ts";
import type { HopRing } from "./hop-ring.ts";
import { type HopSpan, type SpanPlace, spanKeyOf, toSpan } from "./hop-spans.ts";
import { type Mark, type MarkFields, Marks } from "./marks.ts";
import { type Match, matchMarks } from "./match-marks.ts";
import { spanIdOf } from "./span-id.ts";
import type { SpanSink } from "./span-sink.ts";
import { traceIdHex } from "./trace-context.ts";

/** What createSpanMaker needs. */
export interface SpanMakerOptions {
  readonly ring: HopRing;
  readonly sink: SpanSink;
  readonly place: SpanPlace;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Takes marks to the other processes. */
  readonly onSpread: (marks: readonly Mark[]) => void;
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

  /** Makes the spans of what is marked now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { ring, now, onSpread } = this.#options;
    const nowMs = now();
    const matches = matchMarks(ring, this.marks, (mark) => mark.spread && this.#spread.push(mark));
    this.#emit(matches, nowMs);
    for (let at = 0; at < this.#spread.length; at += limits.maxMarksPerCall)
      onSpread(this.#spread.slice(at, at + limits.maxMarksPerCall));
    this.#spread = [];
    this.marks.expire(nowMs);
    if (this.marks.size > 0) this.#timer = setTimeout(() => this.flush(), limits.traceFlushMs).unref();
  }

  close(): Promise<void> {
    if (this.marks.size > 0) this.flush();
    clearTimeout(this.#timer);
    return this.#options.sink.close();
  }

  #emit(matches: readonly Match[], nowMs: number): void {
    const { ring, sink, place } = this.#options;
    const fresh = matches.filter((match) => this.#isDue(match, nowMs));
    const batches = groupBatches(ring, fresh);
    for (const match of fresh) {
      const { mark, at } = match;
      const key = spanKeyOf(ring, at);
      const attempt = mark.spans.get(key) ?? 0;
      mark.spans.set(key, attempt + 1);
      // Acknowledgements are cumulative: those after the first say nothing new of this message.
      if (attempt > 0 && ring.hop[at] === Hop.DEVICE_ACK) continue;
      const links = [...linksOf(ring, match, batches), ...clientLinks(ring, match)];
      const span = toSpan(ring, match, { attempt, place, links });
      if (span === undefined) continue;
      sink.emit(span);
      this.emitted++;
    }
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
