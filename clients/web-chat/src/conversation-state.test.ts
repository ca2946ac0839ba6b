import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { byNewest, ConversationState } from "./conversation-state.ts";

const message = (seq: number, sentTimeMs = seq): ReceivedMessage => ({ seq, sentTimeMs }) as ReceivedMessage;
const state = (key = "00"): ConversationState => new ConversationState(key, new Uint8Array(16), 2n);

test("counts what is unread from the cursor, never what the user may not read", () => {
  const conversation = state();
  conversation.headSeq = 10;
  expect(conversation.unread).toBe(10);
  conversation.readSeq = 7;
  expect(conversation.unread).toBe(3);
  conversation.firstSeq = 10;
  expect(conversation.unread).toBe(1);
  conversation.readSeq = 12;
  expect(conversation.unread).toBe(0);
});

test("raises cursors, takes reading for delivery, and knows the furthest of the others", () => {
  const conversation = state();
  conversation.raise(2n, 5, 3);
  conversation.raise(2n, 4, 4);
  conversation.raise(3n, 0, 6);
  expect(conversation.cursors.get(2n)).toEqual({ deliveredSeq: 5, readSeq: 4 });
  expect(conversation.others).toEqual({ deliveredSeq: 6, readSeq: 6 });
});

test("has older messages only after the newest page, down to the first readable one", () => {
  const conversation = state();
  conversation.add([message(8), message(9)]);
  expect([conversation.headSeq, conversation.hasOlder]).toEqual([9, false]);
  conversation.opened = true;
  expect(conversation.hasOlder).toBe(true);
  conversation.firstSeq = 8;
  expect(conversation.hasOlder).toBe(false);
});

test("has newer messages when the window was moved back", () => {
  const conversation = state();
  conversation.add([message(8), message(9)]);
  conversation.opened = true;
  expect(conversation.hasNewer).toBe(false);
  conversation.add([message(20, 500)]);
  expect([conversation.hasNewer, conversation.headSeq, conversation.window.last]).toEqual([true, 20, 9]);
  expect(conversation.lastTimeMs).toBe(500);
});

test("takes what the user wrote for read", () => {
  const conversation = state();
  conversation.add([message(1), { ...message(2), own: true }, message(3)]);
  expect(conversation.unread).toBe(1);
});

test("puts the newest conversation first and empty ones last", () => {
  const [old, fresh, empty] = [state("a"), state("b"), state("c")];
  old.add([message(1, 100)]);
  fresh.add([message(1, 200)]);
  expect([empty, old, fresh].sort(byNewest).map(({ key }) => key)).toEqual(["b", "a", "c"]);
});
