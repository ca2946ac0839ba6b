import { MessageKind, type ReceivedMessage } from "@chappe/sdk/src/index.ts";

/** Names by user id. */
export type NameOf = (userId: bigint) => string;

const two = (value: number): string => String(value).padStart(2, "0");

/** "14:05" for today, else "2026-11-23 14:05", in the time zone of this machine. */
function timeText(timeMs: number, nowMs: number): string {
  const time = new Date(timeMs);
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (time.toDateString() === new Date(nowMs).toDateString()) return clock;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}

/** Users whose names a message's line needs. */
export function peopleOf({ senderId, content: { kind } }: ReceivedMessage): bigint[] {
  if (kind.case !== "membership") return [senderId];
  return [kind.value.byUserId, ...kind.value.items.map(({ userId }) => userId)];
}

function membershipText({ content: { kind } }: ReceivedMessage, nameOf: NameOf): string {
  if (kind.case !== "membership") return "";
  const { byUserId, items } = kind.value;
  const by = nameOf(byUserId);
  const own = items.find(({ userId }) => userId === byUserId);
  const others = (joined: boolean): string =>
    items
      .filter((item) => item.joined === joined && item.userId !== byUserId)
      .map(({ userId }) => nameOf(userId))
      .join(", ");
  const parts = own === undefined ? [] : [own.joined ? `${by} made the group` : `${by} left`];
  if (others(true) !== "") parts.push(`${by} added ${others(true)}`);
  if (others(false) !== "") parts.push(`${by} removed ${others(false)}`);
  return parts.join("; ");
}

/** A message as one entry: when, where (unless `title` is undefined), who, what. Not yet safe to print. */
export function messageLine(
  message: ReceivedMessage,
  nameOf: NameOf,
  options: { readonly nowMs: number; readonly title: string | undefined },
): string {
  const { content, kind, senderId, own, text, sentTimeMs } = message;
  const where = options.title === undefined ? "" : `[${options.title}] `;
  const head = `${timeText(sentTimeMs, options.nowMs)} ${where}`;
  if (content.kind.case === "membership") return `${head}* ${membershipText(message, nameOf)}`;
  const who = own ? "me" : nameOf(senderId);
  if (kind === MessageKind.UNREADABLE) return `${head}${who}: (this message is damaged)`;
  if (text !== undefined) return `${head}${who}: ${text}`;
  return `${head}${who}: (${content.kind.case === "custom" ? content.kind.value.type : "unknown content"})`;
}

const maxExcerptLetters = 40;

/** The beginning of a text in one line, to tell which message is meant. */
export function excerpt(text: string): string {
  const letters = [...text.replace(/\s+/g, " ").trim()];
  return letters.length <= maxExcerptLetters ? letters.join("") : `${letters.slice(0, maxExcerptLetters).join("")}...`;
}
