import { expect, test } from "vitest";
import { printable } from "./printable.ts";

test.each([
  ["a colour", "\u001b[31mred\u001b[0m", "\ufffd[31mred\ufffd[0m"],
  ["a title of the window", "\u001b]0;owned\u0007", "\ufffd]0;owned\ufffd"],
  ["the one-byte form of an escape sequence", "\u009b2J", "\ufffd2J"],
  ["backspaces over the sender", "x\b\b\bbob:", "x\ufffd\ufffd\ufffdbob:"],
  ["a turned direction", "abc\u202Edef", "abc\ufffddef"],
  ["a line separator of Unicode", "a\u2028b", "a\ufffdb"],
  ["half a character", "a\ud800b", "a\ufffdb"],
  ["DEL", "a\u007f", "a\ufffd"],
])("takes the force out of %s", (_name, text, safe) => {
  expect(printable(text)).toBe(safe);
});

test("sets further lines off", () => {
  expect(printable("one\n14:05 bob: two\r\nthree\rfour")).toBe("one\n    | 14:05 bob: two\n    | three\n    | four");
});

test("leaves what people write as it is", () => {
  const text = "Grüße, 日本, 👩‍👩‍👧, ❤️ — fin";
  expect(printable(text)).toBe(text);
  expect(printable("a\tb")).toBe("a  b");
});
