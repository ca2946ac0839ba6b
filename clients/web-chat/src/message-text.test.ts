import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { messageText } from "./message-text.ts";

const people = { nameOf: (id: bigint): string => ({ 1: "Ann", 2: "Ben", 3: "Cy" })[Number(id)] ?? "?" };
const membership = (byUserId: bigint, ...items: readonly [bigint, boolean][]): ReceivedMessage =>
  ({
    content: {
      kind: { case: "membership", value: { byUserId, items: items.map(([userId, joined]) => ({ userId, joined })) } },
    },
  }) as unknown as ReceivedMessage;

test("tells who came and went", () => {
  expect(messageText(membership(1n, [1n, true], [2n, true]), people)).toBe("Ann created the group and added Ben");
  expect(messageText(membership(1n, [2n, true], [3n, true]), people)).toBe("Ann added Ben, Cy");
  expect(messageText(membership(1n, [3n, false]), people)).toBe("Ann removed Cy");
  expect(messageText(membership(2n, [2n, false]), people)).toBe("Ben left");
});

test("shows texts as they are and says when there is none", () => {
  expect(messageText({ text: "<b>hi</b>", content: { kind: {} } } as ReceivedMessage, people)).toBe("<b>hi</b>");
  expect(messageText({ content: { kind: { case: undefined } } } as ReceivedMessage, people)).toContain("cannot");
});
