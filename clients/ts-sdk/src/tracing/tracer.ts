import { create, toBinary } from "@bufbuild/protobuf";
import {
  type ClientSpan,
  ClientSpanKind,
  ClientSpanSchema,
  ReportSpansRequestSchema,
  SessionService,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { fromHex, toHex } from "../ids.ts";
import type { ClientLimits } from "../limits.ts";
import { type Stop, startTimer } from "../timers.ts";
import { methodAddress } from "../wire/addresses.ts";
import type { RawCall } from "../wire/connection.ts";
import { sendSpanId } from "./span-id.ts";

const address = methodAddress(SessionService.method.reportSpans)!;
/** "00-", 32 digits of the trace id, "-", 16 of the span, "-01". */
const traceparentPattern = /00-([0-9a-f]{32})-[0-9a-f]{16}-01/g;
/** A clock that differs less from the server's is taken as it is: the way there is a part of the difference. */
const toleratedSkewMs = 1_000;

/** What a tracer needs. */
export interface TracerOptions {
  readonly limits: ClientLimits;
  /** Has every message of this client traced, see ConnectOptions. */
  readonly traceToken: string | undefined;
  /** Makes a call on the connection of now, if there is one. */
  readonly call: (call: RawCall) => Promise<unknown> | undefined;
}

interface Sent {
  readonly startMs: number;
  /** Undefined = under way. */
  endMs: number | undefined;
  isWanted: boolean;
}

interface Received {
  readonly clientMessageId: Uint8Array;
  readonly seq: number;
  readonly startMs: number;
  readonly context: Uint8Array;
}

/** A send as the tracer sees it. */
interface TracedSend {
  readonly key: string;
  readonly createdMs: number;
}

/** The time of this device, Unix milliseconds, finer than Date.now. */
export const preciseNowMs = (): number => performance.timeOrigin + performance.now();

/**
 * The client's own spans: sends that the server asks for, and pushes that came with a trace context. Does nothing until a
 * server says that it takes spans. What does not fit is forgotten: spans are never worth a message.
 */
export class Tracer {
  readonly #options: TracerOptions;
  /** Sends of late, by the hexadecimal of their id; the oldest go first. */
  readonly #sent = new Map<string, Sent>();
  /** Pushed messages that are not acknowledged, by conversation. */
  readonly #received = new Map<string, Received[]>();
  #waiting: ClientSpan[] = [];
  #isOn = false;
  #skewMs = 0;
  #stop: Stop | undefined;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** A connection was welcomed. */
  welcomed(takesSpans: boolean, serverTimeMs: number): void {
    this.#isOn = takesSpans;
    const skewMs = serverTimeMs - Date.now();
    this.#skewMs = Math.abs(skewMs) > toleratedSkewMs ? skewMs : 0;
    this.#received.clear();
  }

  /** The trace context of a Send call with this first message. */
  sendContext(clientMessageId: Uint8Array): Uint8Array | undefined {
    const { traceToken } = this.#options;
    if (!this.#isOn) return undefined;
    const traceparent = `00-${toHex(clientMessageId)}-${sendSpanId(clientMessageId)}-01`;
    return new TextEncoder().encode(traceToken === undefined ? traceparent : `${traceparent};${traceToken}`);
  }

  /** These travel in a call that is made now. */
  sending(sends: readonly TracedSend[]): void {
    if (!this.#isOn) return;
    for (const { key, createdMs } of sends) {
      if (this.#sent.has(key)) continue;
      if (this.#sent.size >= this.#options.limits.maxTracedMessages) {
        const [oldest] = this.#sent.keys();
        this.#sent.delete(oldest!);
      }
      this.#sent.set(key, { startMs: createdMs, endMs: undefined, isWanted: false });
    }
  }

  /** The server has acknowledged these, or refused them for good. */
  answered(sends: readonly TracedSend[]): void {
    if (this.#sent.size === 0) return;
    for (const { key } of sends) {
      const sent = this.#sent.get(key);
      if (sent === undefined) continue;
      sent.endMs ??= preciseNowMs();
      this.#reportSent(key, sent);
    }
  }

  /** The server asks for the span of a send. */
  wanted(clientMessageId: Uint8Array): void {
    const key = toHex(clientMessageId);
    const sent = this.#sent.get(key);
    if (sent === undefined) return;
    sent.isWanted = true;
    this.#reportSent(key, sent);
  }

  /** A push came with a trace context, which names some of its messages. */
  received(
    conversation: string,
    messages: readonly { readonly clientMessageId: Uint8Array; readonly seq: bigint }[],
    context: Uint8Array,
  ): void {
    if (!this.#isOn) return;
    const startMs = preciseNowMs();
    const traced = new Set(Array.from(new TextDecoder().decode(context).matchAll(traceparentPattern), ([, id]) => id));
    const list = this.#received.get(conversation) ?? [];
    for (const { clientMessageId, seq } of messages) {
      if (list.length >= this.#options.limits.maxTracedMessages || !traced.has(toHex(clientMessageId))) continue;
      const id = Uint8Array.from(clientMessageId);
      list.push({ clientMessageId: id, seq: Number(seq), startMs, context: context.slice(0, 55) });
    }
    if (list.length > 0) this.#received.set(conversation, list);
  }

  /** A conversation is about to be acknowledged up to `seq`; answers the trace context that goes with it. */
  acknowledging(conversation: string, seq: number): Uint8Array | undefined {
    const list = this.#received.size === 0 ? undefined : this.#received.get(conversation);
    if (list === undefined) return undefined;
    const done = list.filter((message) => message.seq <= seq);
    const left = list.filter((message) => message.seq > seq);
    if (left.length === 0) this.#received.delete(conversation);
    else this.#received.set(conversation, left);
    const endMs = preciseNowMs();
    for (const { clientMessageId, startMs } of done) this.#add(clientMessageId, ClientSpanKind.RECEIVE, startMs, endMs);
    return done[0]?.context;
  }

  close(): void {
    this.#stop?.();
    this.#sent.clear();
    this.#received.clear();
    this.#waiting = [];
  }

  #reportSent(key: string, { startMs, endMs, isWanted }: Sent): void {
    if (!isWanted || endMs === undefined) return;
    this.#sent.delete(key);
    this.#add(fromHex(key), ClientSpanKind.SEND, startMs, endMs);
  }

  #add(clientMessageId: Uint8Array, kind: ClientSpanKind, startMs: number, endMs: number): void {
    const { limits } = this.#options;
    if (this.#waiting.length >= limits.maxSpansPerReport) return;
    const times = { startTimeMs: startMs + this.#skewMs, endTimeMs: endMs + this.#skewMs };
    this.#waiting.push(create(ClientSpanSchema, { clientMessageId, kind, ...times }));
    this.#stop ??= startTimer(limits.spanReportMs, () => this.#report());
  }

  #report(): void {
    this.#stop = undefined;
    const spans = this.#waiting;
    this.#waiting = [];
    const payload = toBinary(ReportSpansRequestSchema, create(ReportSpansRequestSchema, { spans }));
    // Without a connection, or refused: they are lost.
    this.#options.call({ ...address, payload })?.catch(() => {});
  }
}
