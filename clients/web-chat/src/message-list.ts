import type { ChatModel } from "./chat-model.ts";
import type { ConversationState } from "./conversation-state.ts";
import { createRowList, el, type Row } from "./dom.ts";
import { errorText } from "./error-text.ts";
import { pendingRow, Refusals, timelineRow } from "./message-row.ts";
import { createScrollKeeper, type ScrollKeeper } from "./scroll-keeper.ts";
import { timelineRows } from "./timeline.ts";

/** The messages of a conversation; pages come as the reader scrolls to an edge. */
export class MessageList {
  readonly element: HTMLElement;
  readonly #model: ChatModel;
  readonly #conversation: ConversationState;
  readonly #refusals = new Refusals();
  readonly #hint = el("p", { class: "hint" });
  readonly #jump = el("button", { type: "button", class: "jump", onClick: () => this.#onJump() });
  readonly #keeper: ScrollKeeper;
  readonly #setRows: (rows: readonly Row[]) => void;
  readonly #resized: ResizeObserver;
  #problem = "";
  /** Newest seq for which a page after those here was asked. */
  #askedHead = 0;

  constructor(model: ChatModel, conversation: ConversationState) {
    this.#model = model;
    this.#conversation = conversation;
    const list = el("ol", { class: "messages", role: "log", "aria-live": "polite" });
    const onScroll = (): void => this.#onScroll();
    const scroller = el(
      "div",
      { class: "scroller", tabindex: 0, "aria-label": "Messages", onScroll },
      this.#hint,
      list,
    );
    this.element = el("div", { class: "scroll-pane" }, scroller, this.#jump);
    this.#setRows = createRowList(list);
    this.#keeper = createScrollKeeper(scroller, list);
    this.#resized = new ResizeObserver(() => {
      if (conversation.following) this.#keeper.toEnd();
    });
    this.#resized.observe(scroller);
  }

  /** Shows what the model has now. */
  update(): void {
    const conversation = this.#conversation;
    this.#hint.textContent = conversation.loadingPage ? "Loading messages…" : this.#problem;
    // Asked to go to the end, the reader stays there, and not at the end of a page on the way.
    if (conversation.following) this.#keeper.toEnd();
    this.#keeper.keep(() => this.#setRows(this.#rows()));
    this.#follow();
    // What came does not follow on what is here, as after an absence from the group.
    if (!this.#keeper.atEnd || !conversation.hasNewer || this.#askedHead === conversation.headSeq) return;
    this.#askedHead = conversation.headSeq;
    this.#load(this.#model.loadNewer(conversation));
  }

  close(): void {
    this.#resized.disconnect();
  }

  #rows(): Row[] {
    const conversation = this.#conversation;
    const placed = timelineRows(conversation.window.list(), Date.now());
    const rows = placed.map((row) => timelineRow(this.#model, conversation, row));
    // What waits stands behind the newest message, which is not here.
    if (conversation.hasNewer) return rows;
    const waiting = conversation.pending.map((handle) =>
      pendingRow(this.#model, conversation, handle, () => this.#refusals.textOf(handle, () => this.update())),
    );
    return [...rows, ...waiting];
  }

  #load(page: Promise<void>): void {
    this.#problem = "";
    page.catch((error: unknown) => {
      this.#problem = errorText(error);
      this.update();
    });
  }

  #onJump(): void {
    this.#keeper.toEnd();
    void this.#model.goToNewest(this.#conversation);
  }

  #onScroll(): void {
    const conversation = this.#conversation;
    this.#keeper.read();
    if (this.#keeper.atStart && conversation.hasOlder) this.#load(this.#model.loadOlder(conversation));
    else if (this.#keeper.atEnd && conversation.hasNewer) this.#load(this.#model.loadNewer(conversation));
    this.#follow();
    if (conversation.following) this.#model.markRead();
  }

  #follow(): void {
    const conversation = this.#conversation;
    conversation.following = this.#keeper.atEnd && !conversation.hasNewer;
    this.#jump.hidden = conversation.following || conversation.window.last === 0;
    this.#jump.textContent = conversation.unread > 0 ? `↓ ${conversation.unread} new` : "↓ Newest";
  }
}
