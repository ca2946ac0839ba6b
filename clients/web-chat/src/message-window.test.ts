import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { MessageWindow } from "./message-window.ts";

const message = (seq: number, text = ""): ReceivedMessage => ({ seq, text }) as ReceivedMessage;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => message(from + i));

test("lists by seq whatever the order of arrival, each once", () => {
  const window = new MessageWindow();
  window.add([message(7, "first"), message(5)]);
  window.add([message(6), message(7, "second")]);
  expect(window.list().map(({ seq }) => seq)).toEqual([5, 6, 7]);
  expect(window.newest?.text).toBe("first");
  expect([window.first, window.last, window.has(6), window.has(8)]).toEqual([5, 7, true, false]);
});

test("forgets the oldest when it is too long", () => {
  const window = new MessageWindow();
  let count = 0;
  while (!window.full) window.add([message(++count)]);
  expect([window.first, window.last]).toEqual([1, count]);
  window.add(range(count + 1, count + 3));
  expect(window.list()).toHaveLength(count);
  expect([window.first, window.last]).toEqual([4, count + 3]);
});
