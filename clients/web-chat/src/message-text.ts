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
  const own = items.find((item) => item.userId === byUserId);
  const deeds = own === undefined ? [] : [own.joined ? "created the group" : "left"];
  if (names(true) !== "") deeds.push(`added ${names(true)}`);
  if (names(false) !== "") deeds.push(`removed ${names(false)}`);
  return `${people.nameOf(byUserId)} ${deeds.join(" and ")}`;
}
