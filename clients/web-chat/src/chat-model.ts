import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { ReceiptSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import {
  type ChappeClient,
  type ClientStatus,
  conversationIdToString,
  directUsers,
  type ReceivedMessage,
  type SendHandle,
} from "@chappe/sdk/src/index.ts";
import { byNewest, ConversationState } from "./conversation-state.ts";
import { People } from "./people.ts";
import { PresenceBoard } from "./presence-board.ts";

/** Messages of one page of history. */
const pageMessages = 50;
/** Conversations whose newest message is fetched for the list. */
const maxPreviews = 100;
const previewsAtOnce = 8;

/** All that the page shows, kept up to date from the SDK. Calls back after every change. */
export class ChatModel {
  readonly client: ChappeClient;
  readonly people: People;
  readonly #presence: PresenceBoard;
  status: ClientStatus;
  /** Key of the conversation that is shown; empty = none. */
  openKey = "";
  readonly #conversations = new Map<string, ConversationState>();
  readonly #onChange: () => void;
  readonly #closing = new AbortController();

  constructor(client: ChappeClient, onChange: () => void) {
    this.client = client;
    this.#onChange = onChange;
    this.people = new People(client, onChange);
    this.#presence = new PresenceBoard(client, onChange);
    this.status = client.status;
  }

  /** Newest first. */
  get conversations(): readonly ConversationState[] {
    return [...this.#conversations.values()].sort(byNewest);
  }

  get connected(): boolean {
    return this.status.state === "online" || this.status.state === "catching-up";
  }

  /** Whether a correspondent is online, as far as a connection tells. */
  isOnline(userId: bigint): boolean {
    return this.connected && this.#presence.isOnline(userId);
  }

  get open(): ConversationState | undefined {
    return this.#conversations.get(this.openKey);
  }

  /** Follows the client until `close`. */
  start(): void {
    const options = { signal: this.#closing.signal };
    void this.#follow(this.client.statusChanges(options), (status) => this.#onStatus(status));
    void this.#follow(this.client.messages(options), (message) => this.#onMessage(message));
    void this.#follow(this.client.events(ReceiptSchema, options), ({ conversationId, userId, deliveredSeq, readSeq }) =>
      this.#of(conversationId).raise(userId, Number(deliveredSeq), Number(readSeq)),
    );
    this.#presence.start(this.#closing.signal);
    for (const handle of this.client.pending) this.#track(handle);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.client.close();
  }

  /** The name of a conversation. */
  titleOf({ peerId, title }: ConversationState): string {
    if (peerId === undefined) return title || "Group";
    return peerId === this.client.userId ? "Notes to myself" : this.people.nameOf(peerId);
  }

  /** Shows a conversation, which may be new, and fetches its newest page. */
  async select(id: Uint8Array): Promise<void> {
    const conversation = this.#of(id);
    this.openKey = conversation.key;
    this.#onChange();
    await this.#openPage(conversation);
    this.markRead();
  }

  /** Shows no conversation. */
  deselect(): void {
    this.openKey = "";
    this.#onChange();
  }

  /** Fetches the page before the oldest message here. */
  async loadOlder(conversation: ConversationState): Promise<void> {
    if (!conversation.hasOlder || conversation.loadingOlder) return;
    conversation.loadingOlder = true;
    this.#onChange();
    try {
      const view = this.client.conversation(conversation.id);
      conversation.add(await view.history({ before: conversation.window.first, limit: pageMessages }));
    } finally {
      conversation.loadingOlder = false;
      this.#onChange();
    }
  }

  /** Everything that is shown was read. */
  markRead(): void {
    const conversation = this.open;
    if (conversation === undefined || document.visibilityState !== "visible") return;
    if (conversation.readSeq >= conversation.window.last || conversation.left) return;
    conversation.readSeq = conversation.window.last;
    this.#onChange();
    // The next message marks it again.
    this.client
      .conversation(conversation.id)
      .markRead(conversation.readSeq)
      .catch(() => undefined);
  }

  /** Sends a text. Throws ChappeClientError. */
  send(conversation: ConversationState, text: string): void {
    this.#track(this.client.send(conversation.id, { text }));
    this.#onChange();
  }

  /** Sends a refused message again, as a new one. */
  retry(conversation: ConversationState, handle: SendHandle): void {
    this.discard(conversation, handle);
    if (handle.content.kind.case === "text") this.send(conversation, handle.content.kind.value.text);
  }

  /** Takes a refused message off the page. */
  discard(conversation: ConversationState, handle: SendHandle): void {
    const at = conversation.pending.indexOf(handle);
    if (at >= 0) conversation.pending.splice(at, 1);
    this.#onChange();
  }

  /** Makes a group and opens it; settles when it is made. Rejects with ChappeClientError. */
  async createGroup(title: string, memberIds: readonly bigint[]): Promise<void> {
    const { group } = await this.client.call(GroupService).createGroup({ title, memberIds: [...memberIds] });
    const conversation = this.#of(group!.conversationId);
    conversation.title = title;
    void this.select(conversation.id);
  }

  #of(id: Uint8Array): ConversationState {
    const key = conversationIdToString(id);
    const known = this.#conversations.get(key);
    if (known !== undefined) return known;
    const users = directUsers(id);
    const peerId = users === undefined ? undefined : users[0] === this.client.userId ? users[1] : users[0];
    const fresh = new ConversationState(key, Uint8Array.from(id), peerId);
    this.#conversations.set(key, fresh);
    if (peerId !== undefined && peerId !== this.client.userId) this.#presence.watch(peerId);
    if (peerId === undefined) void this.#loadGroups();
    return fresh;
  }

  #onMessage(message: ReceivedMessage): void {
    const conversation = this.#of(message.conversationId);
    conversation.add([message]);
    const sent = conversation.pending.findIndex((handle) => handle.seq === message.seq && message.own);
    if (sent >= 0) conversation.pending.splice(sent, 1);
    if (conversation === this.open) this.markRead();
  }

  #track(handle: SendHandle): void {
    const conversation = this.#of(handle.conversationId);
    conversation.pending.push(handle);
    const changed = (): void => this.#onChange();
    // A refusal stays on the page, with its reason.
    handle.durable.then(changed, changed);
    handle.sequenced.then(({ seq }) => {
      if (conversation.window.has(seq)) this.discard(conversation, handle);
      this.#onChange();
    }, changed);
    handle.delivered.catch(() => undefined);
    handle.read.catch(() => undefined);
  }

  #onStatus(status: ClientStatus): void {
    this.status = status;
    if (this.connected) {
      void this.#loadHeads().catch(() => undefined);
      this.#presence.connected();
    }
  }

  async #loadHeads(): Promise<void> {
    let pageToken = "";
    do {
      const page = await this.client.call(SyncService).listHeads({ pageToken });
      for (const head of page.heads) {
        const conversation = this.#of(head.conversationId);
        conversation.headSeq = Math.max(conversation.headSeq, Number(head.headSeq));
        conversation.readSeq = Math.max(conversation.readSeq, Number(head.readSeq));
        conversation.firstSeq = Number(head.firstSeq);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    await this.#loadGroups();
    await this.#loadPreviews();
    if (this.open !== undefined) await this.#openPage(this.open);
    this.#onChange();
  }

  async #loadGroups(): Promise<void> {
    const untitled = [...this.#conversations.values()].some((one) => one.peerId === undefined && one.title === "");
    if (!untitled) return;
    const { groups } = await this.client
      .call(GroupService)
      .listGroups({ pageSize: 500 })
      .catch(() => ({ groups: [] }));
    for (const { conversationId, title } of groups) this.#of(conversationId).title ||= title;
    this.#onChange();
  }

  async #loadPreviews(): Promise<void> {
    const missing = [...this.#conversations.values()].filter((one) => one.headSeq > 0 && one.window.last === 0);
    const queue = missing.slice(0, maxPreviews);
    const worker = async (): Promise<void> => {
      for (let one = queue.pop(); one !== undefined; one = queue.pop()) await this.#openPage(one);
    };
    await Promise.all(Array.from({ length: previewsAtOnce }, worker));
  }

  async #openPage(conversation: ConversationState): Promise<void> {
    if (conversation.opened) return;
    const view = this.client.conversation(conversation.id);
    try {
      conversation.add(await view.history({ limit: pageMessages }));
      conversation.opened = true;
      for (const { userId, deliveredSeq, readSeq } of await view.cursors())
        if (userId !== this.client.userId) conversation.raise(userId, deliveredSeq, readSeq);
    } catch {
      // Offline, or a conversation that has no message yet: fetched when it is opened again.
    }
    this.#onChange();
  }

  async #follow<T>(items: AsyncIterable<T>, take: (item: T) => void): Promise<void> {
    for await (const item of items) {
      take(item);
      this.#onChange();
    }
  }
}
