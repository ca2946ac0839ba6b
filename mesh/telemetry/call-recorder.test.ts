import { expect, test } from "vitest";
import { limits } from "../limits.ts";
import { CallRecorder } from "./call-recorder.ts";
import { engineCalls } from "./engine-calls.ts";
import { HopRing } from "./hop-ring.ts";
import { Marks } from "./marks.ts";
import { conversationHashAt } from "./peek.ts";

const conversationId = new Uint8Array(16).fill(3);
const clientMessageId = new Uint8Array(16).fill(1);
const context = new Uint8Array(55);

function world(tookMs: number) {
  const ring = new HopRing(64);
  const marks = new Marks();
  const calls = new CallRecorder({ ring, marks, now: () => tookMs });
  const ofRun = (run: object): number => {
    const before = ring.next;
    calls.ofRuns(engineCalls.appendWindow, [{ conversationId, firstSeq: 5, count: 3, ...run }], 0, 0);
    return ring.next - before;
  };
  const ofMessage = (message: object): number => {
    const before = ring.next;
    calls.ofMessages(engineCalls.appendMessages, [{ clientMessageId, ...message }], 0, 0);
    return ring.next - before;
  };
  return { marks, ofRun, ofMessage };
}

test("a quick call leaves nothing for messages that are not traced, an entry for those that are", () => {
  const { marks, ofRun, ofMessage } = world(limits.slowCallMs - 1);
  expect(ofMessage({ traceContext: new Uint8Array(0) })).toBe(0);
  expect(ofMessage({ traceContext: context })).toBe(1);
  expect(ofMessage({})).toBe(1);
  expect(ofRun({ traced: [] })).toBe(0);
  expect(ofRun({ traced: [{ seq: 5, traceContext: context }] })).toBe(1);
  expect(ofRun({})).toBe(0);
  marks.add({ id: clientMessageId, conversation: conversationHashAt(conversationId, 0), seq: 8 }, 0, false);
  expect(ofRun({})).toBe(0);
  expect(ofRun({ count: 4 })).toBe(1);
});

test("a slow call leaves an entry for all", () => {
  const { ofRun, ofMessage } = world(limits.slowCallMs);
  expect(ofMessage({ traceContext: new Uint8Array(0) })).toBe(1);
  expect(ofRun({ traced: [] })).toBe(1);
  expect(ofRun({})).toBe(1);
});
