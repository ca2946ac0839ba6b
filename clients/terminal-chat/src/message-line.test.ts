import { MessageKind, type ReceivedMessage } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { excerpt, messageLine, peopleOf } from "./message-line.ts";

const nowMs = new Date(2026, 10, 24, 15, 0).getTime();
const sentTimeMs = new Date(2026, 10, 24, 9, 5).getTime();
const nameOf = (id: bigint): string => ["", "alice", "bob", "eve"][Number(id)]!;
const message = (fields: object): ReceivedMessage =>
  ({
    seq: 1,
    senderId: 2n,
    sentTimeMs,
    own: false,
    kind: MessageKind.USER,
    content: { kind: { case: "text" } },
    ...fields,
  }) as ReceivedMessage;
const membership = (byUserId: bigint, ...items: [bigint, boolean][]): ReceivedMessage =>
  message({
    kind: MessageKind.SYSTEM,
    content: {
      kind: {
        case: "membership",
        value: { byUserId, items: items.map(([userId, joined]) => ({ userId, joined })) },
      },
    },
  });
const line = (one: ReceivedMessage, title?: string): string => messageLine(one, nameOf, { nowMs, title });

test("times of today are short", () => {
  expect(line(message({ text: "hi" }))).toMatch(/^09:05 /);
  const old = new Date(2026, 0, 2, 3, 4).getTime();
  expect(line(message({ text: "hi", sentTimeMs: old }))).toMatch(/^2026-01-02 03:04 /);
});

test("a message names its sender, and its conversation when asked", () => {
  expect(line(message({ text: "hi" }))).toBe("09:05 bob: hi");
  expect(line(message({ text: "hi" }), "Team")).toBe("09:05 [Team] bob: hi");
  expect(line(message({ text: "hi", own: true }))).toBe("09:05 me: hi");
});

test("other content has a stand-in", () => {
  const custom = message({ content: { kind: { case: "custom", value: { type: "image/png" } } } });
  expect(line(custom)).toBe("09:05 bob: (image/png)");
  expect(line(message({ kind: MessageKind.UNREADABLE }))).toContain("damaged");
  expect(line(message({ content: { kind: { case: undefined } } }))).toContain("unknown");
});

test("membership says who did what to whom", () => {
  expect(line(membership(1n, [1n, true], [2n, true], [3n, true]))).toBe(
    "09:05 * alice made the group; alice added bob, eve",
  );
  expect(line(membership(1n, [2n, false]))).toBe("09:05 * alice removed bob");
  expect(line(membership(3n, [3n, false]))).toBe("09:05 * eve left");
  expect(peopleOf(membership(1n, [2n, false]))).toEqual([1n, 2n]);
});

test("an excerpt is one short line", () => {
  expect(excerpt(" a\n b ")).toBe("a b");
  expect(excerpt("x".repeat(41))).toBe(`${"x".repeat(40)}...`);
});
