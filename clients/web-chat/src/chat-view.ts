import { openMembers, openNewChat, openNewGroup } from "./chat-dialogs.ts";
import type { ChatModel } from "./chat-model.ts";
import { createConversationList } from "./conversation-list.ts";
import { el } from "./dom.ts";
import { createInvisibleSwitch } from "./invisible-switch.ts";
import { createMessagePane, type MessagePane } from "./message-pane.ts";
import { statusText } from "./status-banner.ts";

/** The page of a signed-in user. */
export interface ChatView {
  readonly element: HTMLElement;
  /** Shows what the model has now. */
  update(): void;
}

/** Conversations on one side, the messages of the open one on the other. */
export function createChatView(model: ChatModel, onSignOut: () => void): ChatView {
  const list = createConversationList(model);
  const banner = el("p", { class: "banner", role: "status" });
  const me = el("strong", { class: "me" });
  const button = (text: string, onClick: () => void): HTMLElement => el("button", { type: "button", onClick }, text);
  const head = el(
    "header",
    { class: "side-head" },
    el("div", {}, me, createInvisibleSwitch(model.client), button("Sign out", onSignOut)),
    el(
      "div",
      {},
      button("New chat", () => openNewChat(model)),
      button("New group", () => openNewGroup(model)),
    ),
  );
  const nothing = el("p", { class: "nothing" }, "Choose a conversation.");
  const main = el("main", { class: "main" }, nothing);
  let shownKey = "";
  let pane: MessagePane | undefined;

  const update = (): void => {
    me.textContent = model.people.nameOf(model.client.userId);
    banner.textContent = statusText(model.status, model.wasOnline);
    banner.className = `banner ${model.status.state}`;
    banner.hidden = banner.textContent === "";
    list.update();
    const open = model.open;
    if ((open?.key ?? "") !== shownKey) {
      shownKey = open?.key ?? "";
      pane?.close();
      pane = open === undefined ? undefined : createMessagePane(model, open, () => void openMembers(model, open));
      main.replaceChildren(pane?.element ?? nothing);
      document.body.classList.toggle("reading", open !== undefined);
    }
    pane?.update();
  };
  const side = el("aside", { class: "side" }, head, list.element);
  return { element: el("div", { class: "chat" }, banner, el("div", { class: "columns" }, side, main)), update };
}
