import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { expect, test } from "vitest";
import { limits } from "../limits.ts";
import type { HopSpan } from "./hop-spans.ts";
import { LiveHops } from "./live-hops.ts";

const conversationId = new Uint8Array(16).fill(3);

/** Hops whose clock and spans the test holds. */
function world(rate: number, ringEntries = 64) {
  const spans: HopSpan[] = [];
  const clock = { ms: 1_700_000_000_000 };
  const sink = { emit: (span: HopSpan) => void spans.push(span), close: async () => undefined };
  const hops = new LiveHops({
    instanceId: "one",
    ringEntries,
    rate,
    salt: 1,
    sink,
    hasRoute: false,
    now: () => clock.ms,
  });
  const idAt = (ms: number, tail: number): Uint8Array => {
    const id = new Uint8Array(16).fill(tail);
    new DataView(id.buffer).setUint32(0, Math.floor(ms / 0x1_0000));
    new DataView(id.buffer).setUint16(4, ms % 0x1_0000);
    return id;
  };
  return { hops, spans, clock, idAt };
}

test("a message that takes longer than the promise is exported, a quick one is not", () => {
  const { hops, spans, clock, idAt } = world(0);
  for (const tail of [1, 2]) {
    const from = hops.cursor;
    hops.begin(Hop.LOG_APPEND, conversationId, [{ clientMessageId: idAt(clock.ms, tail) }]);
    if (tail === 2) clock.ms += limits.slowMessageMs + 1;
    hops.end(from, hops.cursor);
  }
  hops.spans!.flush();
  expect(spans.map(({ traceId }) => traceId.slice(-2))).toEqual(["02"]);
  expect(hops.spans!.marks.size).toBe(1);
  clock.ms += limits.traceMarkMs + 1;
  hops.spans!.flush();
  expect(hops.spans!.marks.size).toBe(0);
});

test("marks of late messages are bounded a second, and marks altogether", () => {
  const { hops, clock, idAt } = world(0, 16_384);
  const late = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const id = idAt(clock.ms - 2_000, 0);
      new DataView(id.buffer).setUint32(12, i + 1);
      hops.spans!.markLate({ id }, clock.ms);
    }
  };
  late(500);
  expect(hops.spans!.marks.size).toBe(limits.lateMarksPerSecond);
  for (let i = 0; i < limits.maxTraceMarks + 100; i++) {
    const id = idAt(clock.ms, 1);
    new DataView(id.buffer).setUint32(12, i);
    hops.spans!.mark({ id }, false);
  }
  expect(hops.spans!.marks.size).toBe(limits.maxTraceMarks);
  expect(hops.spans!.marks.dropped).toBeGreaterThan(0);
});

test("a ring that has gone round forgets the oldest and ends nothing of the newer", () => {
  const { hops, clock, idAt } = world(0, 8);
  const from = hops.cursor;
  hops.begin(Hop.AUTHORISE, conversationId, [{ clientMessageId: idAt(clock.ms, 1) }]);
  const until = hops.cursor;
  for (let i = 0; i < 8; i++) hops.begin(Hop.LOG_APPEND, conversationId, [{ clientMessageId: idAt(clock.ms, 2) }]);
  clock.ms += 5;
  hops.end(from, until);
  expect(hops.ring.indexOf(from)).toBe(-1);
  expect([...hops.ring.endMs]).toEqual(Array.from({ length: 8 }, () => 0));
});

test("what a client told of an older message does not hide what came before it in the ring", () => {
  const { hops, spans, clock, idAt } = world(0);
  const [old, young] = [idAt(clock.ms - 30_000, 1), idAt(clock.ms, 2)];
  hops.spans!.mark({ id: old }, false)!.askedOf = 5n;
  clock.ms += limits.traceMarkMs - 1;
  hops.spans!.mark({ id: young }, false);
  const from = hops.cursor;
  hops.begin(Hop.LOG_APPEND, conversationId, [{ clientMessageId: young }]);
  const until = hops.cursor;
  const times = { startMs: clock.ms - 40_000, endMs: clock.ms - 39_000 };
  hops.clientSpan({ hop: Hop.CLIENT_SEND, clientMessageId: old, ...times }, 5n);
  clock.ms += 2;
  hops.spans!.flush();
  hops.end(from, until);
  hops.spans!.flush();
  expect(spans.map(({ name }) => name)).toEqual(["client send", "send messages"]);
});
