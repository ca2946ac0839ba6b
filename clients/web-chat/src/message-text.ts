import type { ReceivedMessage } from "@chappe/sdk/src/index.ts";
import type { People } from "./people.ts";

/** A message in one line, as people read it. */
export function messageText({ content, text }: ReceivedMessage, people: Pick<People, "nameOf">): string {
  if (text !== undefined) return text;
  if (content.kind.case === "custom") return `[${content.kind.value.type}]`;
  if (content.kind.case !== "membership") return "This message cannot be shown.";
  const { byUserId, items } = content.kind.value;
  const names = (joined: boolean): string =>
    items
      .filter((item) => item.joined === joined && item.userId !== byUserId)
      .map((item) => people.nameOf(item.userId))
      .join(", ");
  const by = people.nameOf(byUserId);
  const own = items.find((item) => item.userId === byUserId);
  const parts = own === undefined ? [] : [own.joined ? `${by} created the group` : `${by} left`];
  if (names(true) !== "") parts.push(`${by} added ${names(true)}`);
  if (names(false) !== "") parts.push(`${by} removed ${names(false)}`);
  return parts.join("; ");
}
