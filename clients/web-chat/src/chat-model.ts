import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { type MembershipContent, ReceiptSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import {
  type ChappeClient,
  ChappeClientError,
  type ClientStatus,
  conversationIdToString,
  directUsers,
  type ReceivedMessage,
  type SendHandle,
} from "@chappe/sdk/src/index.ts";
import { byNewest, ConversationState } from "./conversation-state.ts";
import { HistoryPages } from "./history-pages.ts";
import { loadGroups, loadRoster } from "./load-roster.ts";
import { People } from "./people.ts";
import { PresenceBoard } from "./presence-board.ts";
import { ReadChannel } from "./read-channel.ts";
import type { TitleMemory } from "./title-memory.ts";

/** All that the page shows, kept up to date from the SDK. */
export class ChatModel {
  readonly client: ChappeClient;
  readonly people: People;
  readonly #history: HistoryPages;
  readonly #titles: TitleMemory;
  readonly #reads: ReadChannel;
  readonly #presence: PresenceBoard;
  status: ClientStatus;
  /** There was a connection before this one. */
  wasOnline = false;
  /** Key of the conversation that is shown; empty = none. */
  openKey = "";
  readonly #conversations = new Map<string, ConversationState>();
  /** Called after every change. */
  onChange: () => void = () => undefined;
  readonly #closing = new AbortController();
  #asking = false;

  constructor(client: ChappeClient, titles: TitleMemory) {
    const onChange = (): void => this.onChange();
    this.client = client;
    this.#titles = titles;
    this.people = new People(client, onChange);
    this.#history = new HistoryPages(client, onChange);
    this.#reads = new ReadChannel(client.userId, (key, seq) => this.#onReadElsewhere(key, seq));
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
    void this.#follow(this.client.events(ReceiptSchema, options), (receipt) => {
      const { conversationId, userId, deliveredSeq, readSeq } = receipt;
      if (userId !== this.client.userId) this.#of(conversationId).raise(userId, Number(deliveredSeq), Number(readSeq));
    });
    this.#presence.start(this.#closing.signal);
    this.trackPending();
  }

  /** Shows the sends that the client has taken over from an earlier run of the page. */
  trackPending(): void {
    for (const handle of this.client.pending)
      if (!this.#of(handle.conversationId).pending.includes(handle)) this.#track(handle);
    this.onChange();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#reads.close();
    await this.client.close();
  }

  /** The name of a conversation; the one of the last time until it is known. */
  titleOf({ peerId, title, key }: ConversationState): string {
    if (peerId === this.client.userId) return "Notes to myself";
    const known = peerId === undefined ? title : (this.people.knownName(peerId) ?? "");
    if (known !== "") this.#titles.remember(key, known);
    return known || this.#titles.recall(key) || (peerId === undefined ? "Group" : "…");
  }

  /** Shows a conversation, which may be new, and fetches its newest page. */
  async select(id: Uint8Array): Promise<void> {
    const conversation = this.#of(id);
    this.openKey = conversation.key;
    this.onChange();
    await this.#history.newest(conversation);
    this.markRead();
  }

  /** Shows no conversation. */
  deselect(): void {
    this.openKey = "";
    this.onChange();
  }

  /** Fetches the page before the oldest message here. Rejects with ChappeClientError. */
  loadOlder(conversation: ConversationState): Promise<void> {
    return this.#history.older(conversation);
  }

  /** Fetches the page after the newest message here. Rejects with ChappeClientError. */
  loadNewer(conversation: ConversationState): Promise<void> {
    return this.#history.newer(conversation);
  }

  /** Shows the newest messages, wherever the user was. */
  async goToNewest(conversation: ConversationState): Promise<void> {
    conversation.following = true;
    await this.#history.newest(conversation);
    this.markRead();
  }

  /** Everything that is shown was read, when the user is looking at the end of it. */
  markRead(): void {
    const conversation = this.open;
    if (conversation === undefined || !conversation.following || document.visibilityState !== "visible") return;
    const { window, key, id } = conversation;
    if (conversation.readSeq >= window.last && conversation.markedSeq >= window.last) return;
    conversation.readSeq = Math.max(conversation.readSeq, window.last);
    conversation.markedSeq = window.last;
    this.#reads.tell(key, window.last);
    this.onChange();
    if (conversation.left) return;
    // The next message, or the next connection, marks it again.
    this.client
      .conversation(id)
      .markRead(window.last)
      .catch(() => {
        conversation.markedSeq = 0;
      });
  }

  /** Sends a text. Throws ChappeClientError. */
  send(conversation: ConversationState, text: string): void {
    this.#track(this.client.send(conversation.id, { text }));
    void this.goToNewest(conversation);
    this.onChange();
  }

  /** Sends a refused message again, as a new one. */
  retry(conversation: ConversationState, handle: SendHandle): void {
    this.discard(conversation, handle);
    if (handle.content.kind.case === "text") this.send(conversation, handle.content.kind.value.text);
  }

  /** The user has left the group. */
  markLeft(conversation: ConversationState): void {
    conversation.left = true;
    this.onChange();
  }

  /** Takes a refused message off the page. */
  discard(conversation: ConversationState, handle: SendHandle): void {
    const at = conversation.pending.indexOf(handle);
    if (at >= 0) conversation.pending.splice(at, 1);
    this.onChange();
  }

  /** Makes a group and opens it; settles when it is made. Rejects with ChappeClientError. */
  async createGroup(title: string, memberIds: readonly bigint[]): Promise<void> {
    const { group } = await this.client.call(GroupService).createGroup({ title, memberIds: [...memberIds] });
    const conversation = this.#of(group!.conversationId);
    conversation.title = title;
    void this.select(conversation.id);
  }

  readonly #of = (id: Uint8Array): ConversationState => {
    const key = conversationIdToString(id);
    const known = this.#conversations.get(key);
    if (known !== undefined) return known;
    const users = directUsers(id);
    const peerId = users === undefined ? undefined : users[0] === this.client.userId ? users[1] : users[0];
    const fresh = new ConversationState(key, Uint8Array.from(id), peerId);
    this.#conversations.set(key, fresh);
    if (peerId !== undefined && peerId !== this.client.userId) this.#presence.watch(peerId);
    if (peerId === undefined) this.#askTitles();
    return fresh;
  };

  #askTitles(): void {
    if (this.#asking || !this.connected) return;
    this.#asking = true;
    const done = (): void => {
      this.#asking = false;
      this.onChange();
    };
    // Without an answer the group keeps its stand-in until the next connection.
    queueMicrotask(() => void loadGroups(this.client, this.#of).then(done, done));
  }

  #onMessage(message: ReceivedMessage): void {
    const conversation = this.#of(message.conversationId);
    conversation.add([message]);
    if (message.content.kind.case === "membership") this.#onMembership(conversation, message.content.kind.value);
    const sent = conversation.pending.findIndex((handle) => handle.seq === message.seq && message.own);
    if (sent >= 0) conversation.pending.splice(sent, 1);
    if (conversation === this.open) this.markRead();
  }

  #track(handle: SendHandle): void {
    const conversation = this.#of(handle.conversationId);
    conversation.pending.push(handle);
    const changed = (): void => this.onChange();
    // A refusal stays on the page, with its reason.
    handle.durable.then(changed, changed);
    handle.sequenced.then(
      ({ seq }) => {
        if (conversation.window.has(seq)) this.discard(conversation, handle);
        this.onChange();
      },
      (error: unknown) => {
        if (conversation.peerId === undefined && ChappeClientError.is(error, "NOT_A_MEMBER")) conversation.left = true;
        this.onChange();
      },
    );
    handle.delivered.catch(() => undefined);
    handle.read.catch(() => undefined);
  }

  #onMembership(conversation: ConversationState, { items }: MembershipContent): void {
    const own = items.findLast((item) => item.userId === this.client.userId);
    if (own !== undefined) conversation.left = !own.joined;
  }

  /** Another tab of this user has shown it. */
  #onReadElsewhere(key: string, seq: number): void {
    const conversation = this.#conversations.get(key);
    if (conversation === undefined || conversation.readSeq >= seq) return;
    conversation.readSeq = seq;
    this.onChange();
  }

  #onStatus(status: ClientStatus): void {
    const before = this.status.state;
    this.status = status;
    if (!this.connected || before === "online" || before === "catching-up") return;
    this.wasOnline = true;
    for (const conversation of this.#conversations.values()) conversation.cursorsStale = true;
    // A connection that is lost meanwhile has a successor, which asks again.
    this.#refresh().catch(() => undefined);
    this.#presence.connected();
  }

  async #refresh(): Promise<void> {
    await loadRoster(this.client, this.#of);
    await this.#history.openAll([...this.#conversations.values()]);
    if (this.open !== undefined) await this.#history.open(this.open);
    this.markRead();
    this.onChange();
  }

  async #follow<T>(items: AsyncIterable<T>, take: (item: T) => void): Promise<void> {
    for await (const item of items) {
      take(item);
      this.onChange();
    }
  }
}
