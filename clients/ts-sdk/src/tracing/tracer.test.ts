import { fromBinary } from "@bufbuild/protobuf";
import { ClientSpanKind, ReportSpansRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { toHex } from "../ids.ts";
import { defaultLimits } from "../limits.ts";
import type { RawCall } from "../wire/connection.ts";
import { preciseNowMs, Tracer } from "./tracer.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const idOf = (n: number): Uint8Array => new Uint8Array(16).fill(n);
const sendOf = (n: number) => ({ key: toHex(idOf(n)), createdMs: preciseNowMs() });
const contextOf = (n: number): Uint8Array =>
  new TextEncoder().encode(`00-${toHex(idOf(n))}-b7ad6b7169203331-01,00-${toHex(idOf(n + 1))}-b7ad6b7169203331-01`);

/** A tracer, and the spans it has reported, a list for each report. */
function world(options: { traceToken?: string; takesSpans?: boolean; serverAheadMs?: number; max?: number } = {}) {
  const calls: RawCall[] = [];
  const { traceToken, takesSpans = true, serverAheadMs = 0, max = 4 } = options;
  const limits = { ...defaultLimits, maxTracedMessages: max, maxSpansPerReport: 3 };
  const tracer = new Tracer({ limits, traceToken, call: async (call) => void calls.push(call) });
  tracer.welcomed(takesSpans, Date.now() + serverAheadMs);
  const reports = () => calls.map(({ payload }) => fromBinary(ReportSpansRequestSchema, payload).spans);
  return { tracer, reports, text: (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes) };
}

test("nothing is said to a server that takes no spans", () => {
  const { tracer, reports } = world({ takesSpans: false, traceToken: "token" });
  expect(tracer.sendContext(idOf(1))).toBeUndefined();
  tracer.sending([sendOf(1)]);
  tracer.answered([sendOf(1)]);
  tracer.wanted(idOf(1));
  tracer.received("c", [{ clientMessageId: idOf(1), seq: 1n }], contextOf(1));
  expect(tracer.acknowledging("c", 1)).toBeUndefined();
  vi.runAllTimers();
  expect(reports()).toEqual([]);
});

test("a send is reported when it is asked for, before its answer or after, and only then", () => {
  const { tracer, reports, text } = world({ traceToken: "token" });
  expect(text(tracer.sendContext(idOf(1)))).toMatch(/^00-(01){16}-[0-9a-f]{16}-01;token$/);
  tracer.sending([sendOf(1), sendOf(2), sendOf(3)]);
  tracer.wanted(idOf(1));
  tracer.answered([sendOf(1), sendOf(2), sendOf(3)]);
  tracer.wanted(idOf(2));
  tracer.wanted(idOf(2));
  tracer.wanted(idOf(9));
  vi.runAllTimers();
  expect(reports().map((spans) => spans.map(({ clientMessageId }) => clientMessageId[0]))).toEqual([[1, 2]]);
});

test("pushes are reported once they are acknowledged, those that the context names", () => {
  const { tracer, reports, text } = world();
  const messages = [1, 2, 3].map((n) => ({ clientMessageId: idOf(n), seq: BigInt(n) }));
  tracer.received("c", messages, contextOf(1));
  expect(text(tracer.acknowledging("c", 1))).toBe(text(contextOf(1))!.slice(0, 55));
  expect(tracer.acknowledging("other", 9)).toBeUndefined();
  expect(tracer.acknowledging("c", 3)).toBeDefined();
  expect(tracer.acknowledging("c", 3)).toBeUndefined();
  vi.runAllTimers();
  const [spans] = reports();
  expect(spans!.map(({ kind, clientMessageId }) => [kind, clientMessageId[0]])).toEqual([
    [ClientSpanKind.RECEIVE, 1],
    [ClientSpanKind.RECEIVE, 2],
  ]);
});

test("memory and reports are bounded: the oldest sends are forgotten, what is too much is dropped", () => {
  const { tracer, reports } = world();
  for (let n = 1; n <= 6; n++) {
    tracer.sending([sendOf(n)]);
    tracer.answered([sendOf(n)]);
  }
  for (let n = 1; n <= 6; n++) tracer.wanted(idOf(n));
  vi.runAllTimers();
  expect(reports().map((spans) => spans.map(({ clientMessageId }) => clientMessageId[0]))).toEqual([[3, 4, 5]]);
});

test.each([
  [600, 0],
  [3_600_000, 3_600_000],
])("times are of the server's clock when this one is far off: ahead by %i ms", (serverAheadMs, expectedMs) => {
  const { tracer, reports } = world({ serverAheadMs });
  const send = sendOf(1);
  tracer.sending([send]);
  tracer.answered([send]);
  tracer.wanted(idOf(1));
  vi.runAllTimers();
  expect(reports()[0]![0]!.startTimeMs - send.createdMs).toBeCloseTo(expectedMs, -2);
});
