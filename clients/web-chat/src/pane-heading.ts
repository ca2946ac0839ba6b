import { createAvatar } from "./avatar.ts";
import type { ChatModel } from "./chat-model.ts";
import type { ConversationState } from "./conversation-state.ts";
import { el } from "./dom.ts";

function subtitleOf(model: ChatModel, { peerId, left }: ConversationState): string {
  if (peerId === undefined) return left ? "Group, left" : "Group";
  if (!model.connected || peerId === model.client.userId) return "";
  return model.isOnline(peerId) ? "online" : "offline";
}

/** Whose conversation it is, with the way back on narrow screens; `onMembers` opens the list of a group's members. */
export function createPaneHeading(
  model: ChatModel,
  conversation: ConversationState,
  onMembers: () => void,
): { element: HTMLElement; update: () => void } {
  const { peerId, key } = conversation;
  const title = el("h2", {});
  const subtitle = el("p", { class: "subtitle" });
  const avatar = el("span", { class: "pane-avatar" });
  const onBack = (): void => model.deselect();
  const back = el("button", { type: "button", class: "back", "aria-label": "Back to conversations", onClick: onBack });
  back.append("‹");
  const members = el("button", { type: "button", onClick: onMembers }, "Members");
  let shown = "";
  return {
    element: el("header", { class: "pane-head" }, back, avatar, el("div", {}, title, subtitle), members),
    update() {
      const name = model.titleOf(conversation);
      const online = peerId !== undefined && model.isOnline(peerId);
      members.hidden = peerId !== undefined || conversation.left;
      subtitle.textContent = subtitleOf(model, conversation);
      if (shown === `${name}\n${online}`) return;
      shown = `${name}\n${online}`;
      title.textContent = name;
      avatar.replaceChildren(createAvatar(name, key, online));
    },
  };
}
