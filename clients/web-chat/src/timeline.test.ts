import { MessageKind, type ReceivedMessage } from "@chappe/sdk/src/index.ts";
import { expect, test } from "vitest";
import { timelineRows } from "./timeline.ts";

const at = (day: number, hour: number, minute: number): number => new Date(2026, 4, day, hour, minute).getTime();
const message = (seq: number, senderId: bigint, sentTimeMs: number): ReceivedMessage =>
  ({
    seq,
    senderId,
    sentTimeMs,
    kind: MessageKind.USER,
    clientMessageId: Uint8Array.of(seq),
  }) as ReceivedMessage;

test("starts each day with a line and groups what one sender says in a short while", () => {
  const rows = timelineRows(
    [
      message(1, 1n, at(9, 23, 58)),
      message(2, 1n, at(10, 0, 1)),
      message(3, 1n, at(10, 0, 2)),
      message(4, 2n, at(10, 0, 2)),
      message(5, 2n, at(10, 0, 20)),
    ],
    at(10, 12, 0),
  );
  const shown = rows.map((row) => (row.kind === "day" ? row.text : `${row.message.seq}${row.first ? " first" : ""}`));
  expect(shown).toEqual(["Yesterday", "1 first", "Today", "2 first", "3", "4 first", "5 first"]);
  expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
});

test("is empty without messages", () => {
  expect(timelineRows([], 0)).toEqual([]);
});
