import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { MessageWindow } from "./message-window.ts";

const message = (seq: number, text = ""): ReceivedMessage => ({ seq, text }) as ReceivedMessage;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
const seqs = (window: MessageWindow): number[] => window.list().map(({ seq }) => seq);

test("grows at both ends, each message once", () => {
  const window = new MessageWindow();
  window.add([message(7, "first")]);
  window.add(range(5, 6));
  window.add([message(7, "second"), message(8)]);
  expect(seqs(window)).toEqual([5, 6, 7, 8]);
  expect(window.list()[2]?.text).toBe("first");
  expect(window.newest?.seq).toBe(8);
  expect([window.first, window.last, window.has(6), window.has(9)]).toEqual([5, 8, true, false]);
});

test("takes no page that would leave a hole", () => {
  const window = new MessageWindow();
  window.add(range(10, 12));
  window.add([message(14)]);
  window.add(range(5, 8));
  window.add([]);
  expect(seqs(window)).toEqual([10, 11, 12]);
});

/** How many a window holds before it forgets. */
function capacity(): number {
  const window = new MessageWindow();
  let count = 0;
  while (window.list().length === count) window.add([message(++count)]);
  return count - 1;
}

test("forgets the oldest when newer ones come, and the newest when older ones come", () => {
  const size = capacity();
  const window = new MessageWindow();
  window.add(range(101, 100 + size));
  window.add(range(101 + size, 103 + size));
  expect([window.first, window.last, window.list().length]).toEqual([104, 103 + size, size]);
  window.add(range(54, 103));
  expect([window.first, window.last, window.list().length]).toEqual([54, 53 + size, size]);
  expect(window.newest?.seq).toBe(window.last);
  window.clear();
  expect([window.first, window.last, seqs(window)]).toEqual([0, 0, []]);
  window.add([message(3)]);
  expect(seqs(window)).toEqual([3]);
});
