import type { ChatModel } from "./chat-model.ts";
import { createComposer } from "./composer.ts";
import type { ConversationState } from "./conversation-state.ts";
import { createRowList, el, type Row } from "./dom.ts";
import { errorText } from "./error-text.ts";
import { pendingRow, Refusals, timelineRow } from "./message-row.ts";
import { timelineRows } from "./timeline.ts";

/** So near to an edge counts as at the edge. */
const edgePx = 80;

/** A part of the page that follows the model. */
export interface MessagePane {
  readonly element: HTMLElement;
  update(): void;
}

function headline(model: ChatModel, conversation: ConversationState): string {
  if (conversation.peerId === undefined) return "Group";
  if (!model.connected) return "";
  return model.isOnline(conversation.peerId) ? "online" : "offline";
}

function createHeading(model: ChatModel, conversation: ConversationState, onMembers: () => void): MessagePane {
  const title = el("h2", {});
  const subtitle = el("p", { class: "subtitle" });
  const back = el(
    "button",
    { type: "button", class: "back", "aria-label": "Back", onClick: () => model.deselect() },
    "‹",
  );
  const isGroup = conversation.peerId === undefined;
  const members = isGroup ? el("button", { type: "button", onClick: onMembers }, "Members") : undefined;
  return {
    element: el("header", { class: "pane-head" }, back, el("div", {}, title, subtitle), members),
    update() {
      title.textContent = model.titleOf(conversation);
      subtitle.textContent = headline(model, conversation);
    },
  };
}

/** Shows a conversation until another is opened; `onMembers` opens the list of a group's members. */
export function createMessagePane(
  model: ChatModel,
  conversation: ConversationState,
  onMembers: () => void,
): MessagePane {
  const refusals = new Refusals();
  const list = el("ol", { class: "messages", "aria-live": "polite" });
  const older = el("p", { class: "hint" });
  const scroller = el("div", { class: "scroller", onScroll: () => onScroll() }, older, list);
  const setRows = createRowList(list);
  const heading = createHeading(model, conversation, onMembers);
  const composer = createComposer((text) => {
    atEnd = true;
    model.send(conversation, text);
  });
  let atEnd = true;

  const onScroll = (): void => {
    atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < edgePx;
    if (scroller.scrollTop > edgePx || !conversation.hasOlder) return;
    const heightPx = scroller.scrollHeight;
    const keepPlace = (): void => {
      scroller.scrollTop += scroller.scrollHeight - heightPx;
    };
    const tell = (error: unknown): void => {
      older.textContent = errorText(error);
    };
    model.loadOlder(conversation).then(() => requestAnimationFrame(keepPlace), tell);
  };
  const update = (): void => {
    heading.update();
    older.textContent = conversation.loadingOlder ? "Loading older messages…" : "";
    const placed = timelineRows(conversation.window.list(), Date.now());
    const rows: Row[] = placed.map((row) => timelineRow(model, conversation, row));
    for (const handle of conversation.pending)
      rows.push(pendingRow(model, conversation, handle, () => refusals.textOf(handle, update)));
    setRows(rows);
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  };
  const element = el(
    "section",
    { class: "pane", "aria-label": "Messages" },
    heading.element,
    scroller,
    composer.element,
  );
  requestAnimationFrame(() => composer.focus());
  return { element, update };
}
