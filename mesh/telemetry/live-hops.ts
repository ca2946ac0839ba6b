import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { decodeDeliveries } from "../codec/event-deliveries.ts";
import { emptyBytes } from "../codec/wire-reader.ts";
import { limits } from "../limits.ts";
import type { Delivery } from "../rpc/delivery.ts";
import { AckBook } from "./ack-book.ts";
import { CallRecorder } from "./call-recorder.ts";
import type { ClientSpanFields } from "./client-hop.ts";
import type { EngineCall, EngineSystems } from "./engine-calls.ts";
import { HopRing } from "./hop-ring.ts";
import { hopFlags } from "./hop-spans.ts";
import type { CallMessage, HopMessage, HopRun, Hops } from "./hops.ts";
import { LatencyCounts } from "./latency-counts.ts";
import type { Mark, MarkFields } from "./marks.ts";
import * as peek from "./peek.ts";
import { isSampled, isSampledAt, rateOf } from "./sampling.ts";
import { partOfName, spanIdOf } from "./span-id.ts";
import { type AskClient, SpanMaker } from "./span-maker.ts";
import type { SpanSink } from "./span-sink.ts";
import {
  forcedContext,
  isForced,
  joinContexts,
  messageIdOf,
  namesMessage,
  parseTraceparent,
  traceparentBytes,
  traceparentOf,
} from "./trace-context.ts";
import { checkTraceToken, tokenOf } from "./trace-token.ts";
import { createTurnClock } from "./turn-clock.ts";

/** What LiveHops needs. */
export interface LiveHopsOptions {
  /** Name of the process, as deliveries name it. */
  readonly instanceId: string;
  /** Entries of the ring, a power of two. */
  readonly ringEntries: number;
  /** Share of the messages for one recipient that are traced. */
  readonly rate: number;
  /** Decides with the ids which messages these are; the same in all processes of a mesh, 32 bits. */
  readonly salt: number;
  /** Where spans go; undefined = nothing is traced, the ring is kept all the same. */
  readonly sink?: SpanSink | undefined;
  /** Key of the tokens with which clients may have their messages traced. */
  readonly tokenKey?: Uint8Array | undefined;
  /** Whether deliveries come by way of a Route. */
  readonly hasRoute: boolean;
  /** What stands behind the ports. @default memory */
  readonly systems?: EngineSystems;
  /** Takes marks to the other processes. @default there are none */
  readonly onSpread?: (marks: readonly Mark[]) => void;
  /** Asks a client for its span. @default no client is here */
  readonly askClient?: AskClient;
  /** Unix milliseconds. @default the clock of the process */
  readonly now?: () => number;
}

const noTraced: NonNullable<HopRun["traced"]> = [];

/** Hops in a ring; spans of those that are traced. */
export class LiveHops implements Hops {
  readonly ring: HopRing;
  /** Undefined when nothing is traced. */
  readonly spans: SpanMaker | undefined;
  /** From the sending client's clock to the acknowledgement of a device. */
  readonly deliveryMs: LatencyCounts = new LatencyCounts();
  readonly now: () => number;
  readonly #options: LiveHopsOptions;
  readonly #threshold: number;
  readonly #acks = new AckBook();
  readonly #parts = new Map<string, number>();
  readonly #selfPart: number;
  readonly #calls: CallRecorder;

  constructor(options: LiveHopsOptions) {
    const { instanceId, ringEntries, rate, sink, hasRoute, now = createTurnClock() } = options;
    const { onSpread = () => {}, askClient = () => false, systems = {} } = options;
    this.#options = options;
    this.now = now;
    this.ring = new HopRing(ringEntries);
    this.#threshold = rate * 0x1_0000_0000;
    this.#selfPart = partOfName(instanceId);
    const place = { hasRoute, selfPart: this.#selfPart, systems };
    this.spans =
      sink === undefined ? undefined : new SpanMaker({ ring: this.ring, sink, place, now, onSpread, askClient });
    this.#calls = new CallRecorder({ ring: this.ring, marks: this.spans?.marks, now });
  }

  get cursor(): number {
    return this.ring.next;
  }

  /** How long calls of engines took, by name. */
  get callTimes(): Readonly<Record<string, LatencyCounts>> {
    return this.#calls.times;
  }

  get takesClientSpans(): boolean {
    return this.spans !== undefined;
  }

  sendSeen(
    hop: Hop,
    payload: Uint8Array,
    context: Uint8Array,
    fromClient: boolean,
    connectionId: bigint = 0n,
  ): Uint8Array {
    if (peek.peekConversation(payload) < 0) return emptyBytes;
    const startMs = this.now();
    const endMs = hop === Hop.LOGIN_IN ? 0 : startMs;
    const conversation = peek.conversationHashAt(payload, 2);
    const forced = context.length > 0 && (fromClient ? this.#isSupport(context) : isForced(context));
    const hasClientSpan = connectionId !== 0n && context.length > 0 && isOfFirst(context, payload);
    let firstTraced = -1;
    for (let item: number = peek.firstItemAt; item < payload.length; item = peek.nextItem(payload, item)) {
      const idAt = peek.peekSendId(payload, item);
      if (idAt < 0) break;
      const at = this.ring.addMessage(hop, startMs, endMs, payload, idAt);
      this.ring.conversation[at] = conversation;
      if (hasClientSpan) {
        this.ring.flags[at] = hopFlags.hasClientSpan;
        this.ring.connection[at] = connectionId;
      }
      if (this.spans === undefined || !(forced || this.#isDirectSample(payload, idAt))) continue;
      if (firstTraced < 0) firstTraced = idAt;
      const mark = this.spans.mark({ id: payload.subarray(idAt, idAt + 16) }, false);
      if (fromClient && !hasClientSpan && mark !== undefined) mark.clientLink = parseTraceparent(context);
    }
    if (!fromClient) return context;
    if (firstTraced < 0) return emptyBytes;
    const id = payload.subarray(firstTraced, firstTraced + 16);
    const traced = traceparentOf(id, spanIdOf(id, hop));
    return forced ? forcedContext(traced) : traced;
  }

  admit(context: Uint8Array): Uint8Array {
    if (context.length === 0) return context;
    if (parseTraceparent(context) === undefined) return emptyBytes;
    const sampled = isSampled(messageIdOf(context), this.#options.rate, this.#options.salt);
    if (sampled || this.#isSupport(context)) return context.subarray(0, traceparentBytes);
    const unsampled = Uint8Array.from(context.subarray(0, traceparentBytes));
    unsampled[traceparentBytes - 1] = 0x30;
    return unsampled;
  }

  support(context: Uint8Array): Uint8Array {
    return this.#isSupport(context) ? forcedContext(context) : emptyBytes;
  }

  contextOf({ clientMessageId: id, conversationId }: HopMessage, fanOut: number, context: Uint8Array): Uint8Array {
    const { spans } = this;
    if (spans === undefined) return emptyBytes;
    const rate = fanOut === 1 ? this.#options.rate : rateOf(fanOut, { direct: this.#options.rate });
    if (!isSampled(id, rate, this.#options.salt) && !isForced(context)) return emptyBytes;
    // Login and Route cannot know how many a group's message is for.
    spans.mark({ id }, conversationId[0]! >= 0x80 && !isForced(context));
    return traceparentOf(id, spanIdOf(id, Hop.LOG_APPEND));
  }

  begin(
    hop: Hop,
    conversationId: Uint8Array,
    messages: readonly Pick<HopMessage, "clientMessageId">[],
    isEntry = false,
  ): void {
    const startMs = this.now();
    const conversation = peek.conversationHashAt(conversationId, 0);
    for (const { clientMessageId } of messages) {
      if (clientMessageId.length === 0) continue;
      const at = this.ring.addMessage(hop, startMs, 0, clientMessageId, 0);
      this.ring.conversation[at] = conversation;
      if (isEntry) this.ring.flags[at] = hopFlags.isEntry;
    }
  }

  end(place: number, until: number, error = 0): void {
    if (place >= until) return;
    const { ring, spans } = this;
    const nowMs = this.now();
    for (let one = place; one < until; one++) {
      const at = ring.indexOf(one);
      if (at < 0) continue;
      ring.endMs[at] = nowMs;
      ring.error[at] = error;
      if (spans === undefined || !ring.isMessage(at)) continue;
      const sentMs = ring.ids[at << 2]! * 0x1_0000 + (ring.ids[(at << 2) + 1]! >>> 16);
      if (error !== 0 || isLate(nowMs - sentMs)) spans.markLate({ id: ring.idOf(at) }, nowMs);
    }
  }

  sequencedContext(message: HopMessage, seq: number, context: Uint8Array, nowMs: number): Uint8Array {
    const { spans } = this;
    const { clientMessageId: id } = message;
    if (context.length === 0 && (spans === undefined || !isLate(nowMs - peek.idTimeMsAt(id, 0)))) return context;
    const conversation = peek.conversationHashAt(message.conversationId, 0);
    const fields = { id, conversation, seq };
    if (context.length === 0 && !spans!.markLate(fields, nowMs)) return context;
    if (context.length > 0) spans?.mark(fields, false);
    return traceparentOf(id, spanIdOf(id, Hop.PUSH_APPEND));
  }

  sequenced(rows: readonly (HopMessage & { readonly seq: number })[], startMs: number): void {
    const endMs = this.now();
    for (const { clientMessageId, conversationId, seq } of rows) {
      const at = this.ring.addMessage(Hop.SEQUENCE, startMs, endMs, clientMessageId, 0);
      this.ring.conversation[at] = peek.conversationHashAt(conversationId, 0);
      this.ring.firstSeq[at] = seq;
      this.ring.lastSeq[at] = seq;
    }
  }

  passed(hop: Hop, runs: readonly HopRun[], startMs: number): void {
    const endMs = this.now();
    if (hop === Hop.COMMIT) this.#calls.timed("commit messages", endMs - startMs);
    if (hop === Hop.PUSH_APPEND) this.#calls.timed("append push", endMs - startMs);
    for (const run of runs) this.#addRun(hop, run, startMs, endMs);
  }

  resolved(run: HopRun, devices: number, offline: number, startMs: number): void {
    const endMs = this.now();
    const at = this.#addRun(Hop.RESOLVE, run, startMs, endMs);
    if (at < 0) return;
    this.ring.count[at] = devices;
    this.ring.offline[at] = offline;
    if (offline > 0) this.ring.offline[this.#addRun(Hop.OFFLINE, run, endMs, endMs)] = offline;
  }

  delivering(deliveries: readonly Delivery[], loginId: string): void {
    const startMs = this.now();
    const part = this.#partOf(loginId);
    for (const delivery of deliveries) {
      const at = this.#addRun(Hop.PUSH_WORKER, delivery, startMs, 0);
      if (at >= 0) this.ring.peer[at] = part;
    }
  }

  deliverSeen(payload: Uint8Array, loginId: string): void {
    const nowMs = this.now();
    const part = this.#partOf(loginId);
    const isTraced = peek.peekDeliveries(payload, (conversationAt, firstSeq, lastSeq) => {
      const at = this.ring.add(Hop.ROUTE_DOWN, nowMs, nowMs);
      this.ring.conversation[at] = peek.conversationHashAt(payload, conversationAt);
      this.ring.firstSeq[at] = firstSeq;
      this.ring.lastSeq[at] = lastSeq;
      this.ring.peer[at] = part;
    });
    if (isTraced) for (const delivery of decodeDeliveries(payload)) this.#markTraced(delivery, false);
  }

  delivered(delivery: Delivery, gone: number): void {
    const { lastSeq, connectionIds, payload, traced = noTraced } = delivery;
    const nowMs = this.now();
    const at = this.#addRun(Hop.LOGIN_OUT, delivery, nowMs, nowMs);
    if (at < 0) return;
    const { ring, spans } = this;
    ring.peer[at] = this.#selfPart;
    ring.count[at] = connectionIds.length - gone;
    const conversation = ring.conversation[at]!;
    if (connectionIds.length <= limits.maxHopConnections || traced.length > 0) {
      for (const connectionId of connectionIds) ring.connection[this.#addLike(at, Hop.DEVICE_PUSHED)] = connectionId;
    }
    const idAt = peek.peekArrivedId(payload);
    if (idAt < 0) return;
    const sentMs = peek.idTimeMsAt(payload, idAt);
    this.#acks.put(conversation, lastSeq!, sentMs);
    if (spans === undefined || traced.length > 0 || !isLate(nowMs - sentMs)) return;
    spans.markLate({ id: payload.subarray(idAt, idAt + 16), conversation, seq: ring.firstSeq[at]! }, nowMs);
  }

  pushContext({ traced = noTraced }: Delivery): Uint8Array {
    if (traced.length === 0) return emptyBytes;
    const ids = traced.map(({ traceContext }) => messageIdOf(traceContext)).filter(({ length }) => length > 0);
    return joinContexts(ids.map((id) => traceparentOf(id, spanIdOf(id, Hop.LOGIN_OUT, this.#selfPart))));
  }

  acknowledged(conversationId: Uint8Array, seq: number, connectionId: bigint, context: Uint8Array): void {
    const nowMs = this.now();
    const conversation = peek.conversationHashAt(conversationId, 0);
    const at = this.ring.add(Hop.DEVICE_ACK, nowMs, nowMs);
    this.ring.conversation[at] = conversation;
    this.ring.firstSeq[at] = 0;
    this.ring.lastSeq[at] = seq;
    this.ring.connection[at] = connectionId;
    if (context.length > 0) this.ring.flags[at] = hopFlags.hasClientSpan;
    const sentMs = this.#acks.sentMs(conversation, seq);
    if (sentMs === 0) return;
    const ageMs = nowMs - sentMs;
    if (ageMs < limits.slowMessageMaxMs) this.deliveryMs.record(ageMs);
    if (this.spans !== undefined && isLate(ageMs)) this.spans.markLate({ conversation, seq }, nowMs);
  }

  called(call: EngineCall, runs: Iterable<HopRun>, startMs: number, error = 0): void {
    this.#calls.ofRuns(call, runs, startMs, error);
  }

  calledFor(call: EngineCall, messages: readonly CallMessage[], startMs: number, error = 0): void {
    this.#calls.ofMessages(call, messages, startMs, error);
  }

  /** Another process has marked these. */
  markFromElsewhere(marks: readonly MarkFields[]): void {
    for (const fields of marks) {
      const mark = this.spans?.mark(fields, false);
      // MsgWriter adds what it knows, and then the others are to know it too.
      if (mark !== undefined && (mark.id.length === 0 || mark.seq === 0)) mark.spread = true;
    }
  }

  async close(): Promise<void> {
    await this.spans?.close();
  }

  clientSpan(span: ClientSpanFields, connectionId: bigint): void {
    const nowMs = this.now();
    if (nowMs - span.startMs > limits.clientSpanMaxAgeMs || span.endMs > nowMs + limits.clientSpanAheadMs) return;
    if (span.startMs <= span.endMs) this.spans?.addClientSpan(span, connectionId);
  }

  #addRun(hop: Hop, run: HopRun, startMs: number, endMs: number): number {
    const { conversationId, firstSeq = 0, traced = noTraced } = run;
    const lastSeq = run.lastSeq ?? (run.count === undefined ? 0 : firstSeq + run.count - 1);
    if (lastSeq === 0 || conversationId === undefined) return -1;
    const at = this.ring.add(hop, startMs, endMs);
    this.ring.conversation[at] = peek.conversationHashAt(conversationId, 0);
    this.ring.firstSeq[at] = firstSeq === 0 ? lastSeq : firstSeq;
    this.ring.lastSeq[at] = lastSeq;
    if (traced.length > 0) this.#markTraced(run, hop === Hop.LOGIN_OUT);
    return at;
  }

  /** An entry of the same messages and time as another one. */
  #addLike(other: number, hop: Hop): number {
    const { ring } = this;
    const at = ring.add(hop, ring.startMs[other]!, ring.endMs[other]!);
    ring.conversation[at] = ring.conversation[other]!;
    ring.firstSeq[at] = ring.firstSeq[other]!;
    ring.lastSeq[at] = ring.lastSeq[other]!;
    return at;
  }

  #markTraced({ conversationId, traced = noTraced }: HopRun, isPush: boolean): void {
    if (this.spans === undefined || conversationId === undefined) return;
    const conversation = peek.conversationHashAt(conversationId, 0);
    for (const { seq, traceContext } of traced) {
      const id = messageIdOf(traceContext);
      const mark = id.length > 0 ? this.spans.mark({ id, conversation, seq }, false) : undefined;
      if (isPush && mark !== undefined) mark.isPushTraced = true;
    }
  }

  #isDirectSample(payload: Uint8Array, idAt: number): boolean {
    return payload[2]! < 0x80 && isSampledAt(payload, idAt, this.#threshold, this.#options.salt);
  }

  #isSupport(context: Uint8Array): boolean {
    const token = tokenOf(context);
    return this.spans !== undefined && token !== "" && checkTraceToken(this.#options.tokenKey, token, Date.now());
  }

  #partOf(loginId: string): number {
    let part = this.#parts.get(loginId);
    if (part === undefined) {
      if (this.#parts.size >= limits.maxReviewedLogins) this.#parts.clear();
      part = partOfName(loginId);
      this.#parts.set(loginId, part);
    }
    return part;
  }
}

/** The context of an SDK names the first message of the frame and stands for all of them; any other one is only linked. */
function isOfFirst(context: Uint8Array, payload: Uint8Array): boolean {
  const idAt = peek.peekSendId(payload, peek.firstItemAt);
  return idAt >= 0 && namesMessage(context, payload, idAt);
}

/** Over the promise, and not so far over it that the message waited with its sender. */
function isLate(ageMs: number): boolean {
  return ageMs > limits.slowMessageMs && ageMs < limits.slowMessageMaxMs;
}
