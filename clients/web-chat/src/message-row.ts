import type { SendHandle } from "@chappe/sdk/src/index.ts";
import type { ChatModel } from "./chat-model.ts";
import type { ConversationState } from "./conversation-state.ts";
import { el, type Row } from "./dom.ts";
import { errorText } from "./error-text.ts";
import { clockTime } from "./format.ts";
import { messageText } from "./message-text.ts";
import type { TimelineRow } from "./timeline.ts";

const ticks = {
  // The clock is drawn by the style sheet.
  waiting: ["", "waiting"],
  sent: ["✓", "sent"],
  delivered: ["✓✓", "delivered"],
  read: ["✓✓", "read"],
} as const;

type TickState = keyof typeof ticks;

function tick(state: TickState): HTMLElement {
  const [sign, name] = ticks[state];
  return el("span", { class: `tick ${state}`, role: "img", "aria-label": name, title: name }, sign);
}

function bubble(text: string, timeMs: number, state: TickState | undefined): HTMLElement {
  const side = el("span", { class: "bubble-side" }, el("time", {}, clockTime(timeMs)));
  if (state !== undefined) side.append(tick(state));
  return el("div", { class: "bubble" }, el("span", { class: "bubble-text" }, text), side);
}

/** A message that has its place, or the line of a day. */
export function timelineRow(model: ChatModel, conversation: ConversationState, row: TimelineRow): Row {
  if (row.kind === "day")
    return { key: row.key, signature: row.text, render: () => el("li", { class: "day" }, el("span", {}, row.text)) };
  const { message, first, key } = row;
  const { own, seq, sentTimeMs, senderId } = message;
  const text = messageText(message, model.people);
  if (message.content.kind.case === "membership")
    return { key, signature: text, render: () => el("li", { class: "system", "data-seq": seq }, text) };
  const { deliveredSeq, readSeq } = conversation.others;
  const state = !own ? undefined : seq <= readSeq ? "read" : seq <= deliveredSeq ? "delivered" : "sent";
  const sender = own || !first || conversation.peerId !== undefined ? "" : model.people.nameOf(senderId);
  const render = (): HTMLElement => {
    const name = sender === "" ? undefined : el("span", { class: "sender" }, sender);
    const kind = `message ${own ? "own" : "other"}${first ? " first" : ""}`;
    return el("li", { class: kind, "data-seq": seq }, name, bubble(text, sentTimeMs, state));
  };
  return { key, signature: [text, state, sender, first].join("\n"), render };
}

/** Why each refused send was refused. */
export class Refusals {
  readonly #texts = new WeakMap<SendHandle, string>();
  readonly #seen = new WeakSet<SendHandle>();

  /** The reason, or what stands for it until it is known; `onKnown` tells. */
  textOf(handle: SendHandle, onKnown: () => void): string {
    if (!this.#seen.has(handle)) {
      this.#seen.add(handle);
      handle.sequenced.catch((error: unknown) => {
        this.#texts.set(handle, errorText(error));
        onKnown();
      });
    }
    return this.#texts.get(handle) ?? "It was not sent.";
  }
}

/** A send without a place yet: with a clock, or with the reason why it was refused. */
export function pendingRow(
  model: ChatModel,
  conversation: ConversationState,
  handle: SendHandle,
  reason: () => string,
): Row {
  const { kind } = handle.content;
  const text = kind.case === "text" ? kind.value.text : "";
  const key = Array.from(handle.clientMessageId, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const timeMs = Number.parseInt(key.slice(0, 12), 16);
  const failed = handle.state === "failed";
  const state: TickState = handle.state === "waiting" || handle.state === "sending" || failed ? "waiting" : "sent";
  const why = failed ? reason() : "";
  const render = (): HTMLElement => {
    if (!failed) return el("li", { class: "message own" }, bubble(text, timeMs, state));
    const again = el("button", { type: "button", onClick: () => model.retry(conversation, handle) }, "Try again");
    const drop = el("button", { type: "button", onClick: () => model.discard(conversation, handle) }, "Delete");
    const note = el("p", { class: "refusal", role: "alert" }, `Not sent: ${why} `, again, " ", drop);
    return el("li", { class: "message own failed" }, bubble(text, timeMs, undefined), note);
  };
  return { key, signature: `${text}\n${handle.state}\n${why}`, render };
}
