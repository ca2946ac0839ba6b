import { createAvatar } from "./avatar.ts";
import type { ChatModel } from "./chat-model.ts";
import type { ConversationState } from "./conversation-state.ts";
import { createRowList, el, type Row } from "./dom.ts";
import { listTime } from "./format.ts";
import { messageText } from "./message-text.ts";

/** Conversations that the list shows. */
const maxRows = 300;

function preview(model: ChatModel, { window, pending }: ConversationState): string {
  const waiting = pending.at(-1);
  if (waiting?.content.kind.case === "text") return `You: ${waiting.content.kind.value.text}`;
  const newest = window.newest;
  if (newest === undefined) return "";
  const text = messageText(newest, model.people);
  return newest.own && newest.text !== undefined ? `You: ${text}` : text;
}

function createItem(model: ChatModel, conversation: ConversationState, text: string): HTMLElement {
  const { key, id, peerId, unread, lastTimeMs } = conversation;
  const title = model.titleOf(conversation);
  const online = peerId !== undefined && model.isOnline(peerId);
  const badge =
    unread === 0
      ? undefined
      : el("span", { class: "badge", "aria-label": `${unread} unread` }, unread > 99 ? "99+" : String(unread));
  return el(
    "button",
    {
      type: "button",
      class: "item",
      "data-key": key,
      "aria-current": model.openKey === key ? "true" : undefined,
      onClick: () => void model.select(id),
    },
    createAvatar(title, key, online),
    el(
      "span",
      { class: "item-text" },
      el("span", { class: "item-title" }, title),
      el("span", { class: "item-preview" }, text),
    ),
    el("span", { class: "item-side" }, el("time", {}, listTime(lastTimeMs, Date.now())), badge),
  );
}

/** The list of conversations, newest first; `update` shows what the model has now. */
export function createConversationList(model: ChatModel): { element: HTMLElement; update: () => void } {
  const list = el("nav", { class: "list", "aria-label": "Conversations" });
  const empty = el("p", { class: "hint" }, "No conversations yet. Start one with the buttons above.");
  const setRows = createRowList(list);
  const rowOf = (conversation: ConversationState): Row => {
    const { key, peerId, unread, lastTimeMs } = conversation;
    const text = preview(model, conversation);
    const online = peerId !== undefined && model.isOnline(peerId);
    const signature = [model.titleOf(conversation), text, unread, lastTimeMs, online, model.openKey === key].join("\n");
    return { key, signature, render: () => createItem(model, conversation, text) };
  };
  const update = (): void => {
    const conversations = model.conversations.slice(0, maxRows);
    setRows(conversations.map(rowOf));
    empty.hidden = conversations.length > 0 || model.status.state !== "online";
  };
  return { element: el("div", { class: "list-pane" }, list, empty), update };
}
