import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";
import { dayName, sameDay } from "./format.ts";

/** A row of the message pane. */
export type TimelineRow =
  | { readonly kind: "day"; readonly key: string; readonly text: string }
  | {
      readonly kind: "message";
      readonly key: string;
      readonly message: ReceivedMessage;
      /** First of several by one sender in a short while. */
      readonly first: boolean;
    };

/** Messages of one sender within so long stand together. */
const groupMs = 5 * 60_000;

const idOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Rows of messages in order of seq, with a line for each day. */
export function timelineRows(messages: readonly ReceivedMessage[], nowMs: number): TimelineRow[] {
  const rows: TimelineRow[] = [];
  let before: ReceivedMessage | undefined;
  for (const message of messages) {
    const newDay = before === undefined || !sameDay(before.sentTimeMs, message.sentTimeMs);
    if (newDay) rows.push({ kind: "day", key: `day-${message.seq}`, text: dayName(message.sentTimeMs, nowMs) });
    const together =
      before !== undefined &&
      !newDay &&
      before.senderId === message.senderId &&
      before.kind === message.kind &&
      message.sentTimeMs - before.sentTimeMs < groupMs;
    rows.push({ kind: "message", key: idOf(message.clientMessageId), message, first: !together });
    before = message;
  }
  return rows;
}
