import type { ChappeClient } from "@chappe/sdk/src/index.ts";
import type { ConversationState } from "./conversation-state.ts";

/** Messages of one page of history. */
const pageMessages = 50;
/** Conversations whose newest messages are fetched for the list. */
const maxPreviews = 100;
const previewsAtOnce = 8;

/** Fetches pages of conversations into their windows. Calls back after every change. */
export class HistoryPages {
  readonly #client: ChappeClient;
  readonly #onChange: () => void;

  constructor(client: ChappeClient, onChange: () => void) {
    this.#client = client;
    this.#onChange = onChange;
  }

  /** Fetches the newest page and how far the others have got, unless they are here. Never rejects. */
  async open(conversation: ConversationState): Promise<void> {
    const view = this.#client.conversation(conversation.id);
    try {
      if (!conversation.opened) {
        conversation.add(await view.history({ limit: pageMessages }));
        conversation.opened = true;
      }
      if (conversation.cursorsStale) {
        conversation.cursorsStale = false;
        for (const { userId, deliveredSeq, readSeq } of await view.cursors())
          if (userId !== this.#client.userId) conversation.raise(userId, deliveredSeq, readSeq);
      }
    } catch {
      // Offline, or a conversation that has no message yet: fetched when it is opened again.
      conversation.cursorsStale = true;
    }
    this.#onChange();
  }

  /** Opens those that have messages of which none is here, as far as the list can show them. */
  async openAll(conversations: readonly ConversationState[]): Promise<void> {
    const missing = conversations.filter((one) => one.headSeq > 0 && one.window.last === 0);
    const queue = missing.slice(0, maxPreviews);
    const worker = async (): Promise<void> => {
      for (let one = queue.pop(); one !== undefined; one = queue.pop()) await this.open(one);
    };
    await Promise.all(Array.from({ length: previewsAtOnce }, worker));
  }

  /** Fetches the page before the oldest message here. Rejects with ChappeClientError. */
  older(conversation: ConversationState): Promise<void> {
    return this.#page(conversation, conversation.hasOlder, { before: conversation.window.first });
  }

  /** Fetches the page after the newest message here. Rejects with ChappeClientError. */
  async newer(conversation: ConversationState): Promise<void> {
    const { last } = conversation.window;
    await this.#page(conversation, conversation.hasNewer, { after: last });
    // Who was away from a group may not read what was said meanwhile: the window starts afresh behind it.
    if (conversation.window.last === last) await this.newest(conversation);
  }

  /** Goes to the newest page, wherever the window was. Never rejects. */
  async newest(conversation: ConversationState): Promise<void> {
    if (conversation.hasNewer) {
      conversation.window.clear();
      conversation.opened = false;
    }
    await this.open(conversation);
  }

  async #page(
    conversation: ConversationState,
    wanted: boolean,
    place: { readonly before: number } | { readonly after: number },
  ): Promise<void> {
    if (!wanted || conversation.loadingPage) return;
    conversation.loadingPage = true;
    this.#onChange();
    try {
      conversation.add(await this.#client.conversation(conversation.id).history({ ...place, limit: pageMessages }));
    } finally {
      conversation.loadingPage = false;
      this.#onChange();
    }
  }
}
