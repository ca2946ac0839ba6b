import { expect, test } from "vitest";
import { parseLine } from "./parse-line.ts";

test.each([
  ["", { kind: "nothing" }],
  ["  \t", { kind: "nothing" }],
  ["hello there", { kind: "message", text: "hello there" }],
  ["hello\r", { kind: "message", text: "hello" }],
  ["//etc/passwd", { kind: "message", text: "/etc/passwd" }],
  ["/list", { kind: "command", name: "list", words: [] }],
  ["/OPEN bob", { kind: "command", name: "open", words: ["bob"] }],
  ['/group "Two words" alice  bob', { kind: "command", name: "group", words: ["Two words", "alice", "bob"] }],
  ["/", { kind: "command", name: "", words: [] }],
])("%j", (line, parsed) => {
  expect(parseLine(line)).toEqual(parsed);
});
