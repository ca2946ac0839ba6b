import type { ChatModel } from "./chat-model.ts";
import { createComposer } from "./composer.ts";
import type { ConversationState } from "./conversation-state.ts";
import { el } from "./dom.ts";
import { MessageList } from "./message-list.ts";
import { createPaneHeading } from "./pane-heading.ts";

/** A part of the page that follows the model. */
export interface MessagePane {
  readonly element: HTMLElement;
  update(): void;
  close(): void;
}

/** Shows a conversation until another is opened; `onMembers` opens the list of a group's members. */
export function createMessagePane(
  model: ChatModel,
  conversation: ConversationState,
  onMembers: () => void,
): MessagePane {
  const heading = createPaneHeading(model, conversation, onMembers);
  const list = new MessageList(model, conversation);
  const composer = createComposer((text) => model.send(conversation, text));
  const left = el("p", { class: "hint left", role: "status" }, "You are no longer a member of this group.");
  const update = (): void => {
    heading.update();
    list.update();
    composer.element.hidden = conversation.left;
    left.hidden = !conversation.left;
  };
  const element = el("section", { class: "pane" }, heading.element, list.element, composer.element, left);
  requestAnimationFrame(() => composer.focus());
  return { element, update, close: () => list.close() };
}
