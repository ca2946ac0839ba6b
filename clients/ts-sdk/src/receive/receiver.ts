import type { Head, SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import type { UnackedHead } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Message } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import type { HistoryService, ListMessagesResponse } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import type { Client } from "@connectrpc/connect";
import { ChappeClientError } from "../client-error.ts";
import { toHex } from "../ids.ts";
import type { ClientLimits } from "../limits.ts";
import { retryDelayMs } from "../outbox/send-calls.ts";
import type { Stream } from "../stream.ts";
import { pause, type Stop, startTimer } from "../timers.ts";
import type { Tracer } from "../tracing/tracer.ts";
import type { OutgoingPacket } from "../wire/frame.ts";
import { AckSender } from "./ack-sender.ts";
import { type Cursor, CursorKeeper, type CursorStore } from "./cursor-store.ts";
import { Feed, type FeedContext } from "./feed.ts";
import { Outlet } from "./outlet.ts";
import { Puller } from "./puller.ts";
import { type ReceivedMessage, toReceived } from "./received-message.ts";

/** Where conversations start that have no cursor: at their first readable message, or at the head of the first sync. */
export type Backlog = "all" | "none";

/** What a receiver needs. */
export interface ReceiverOptions {
  readonly limits: ClientLimits;
  readonly random: () => number;
  readonly backlog: Backlog;
  readonly cursors: CursorStore;
  readonly history: Client<typeof HistoryService>;
  readonly sync: Pick<Client<typeof SyncService>, "listHeads">;
  readonly post: (packet: OutgoingPacket) => void;
  /** @default nothing is traced */
  readonly tracer?: Tracer;
  /** A message of this user's has been seen in its conversation. */
  readonly onOwn: (message: ReceivedMessage) => void;
}

/** Everything between the server's pushes and the application's iterators. */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #feeds = new Map<string, Feed>();
  readonly #gapTimers = new Map<Feed, Stop>();
  readonly #known = new Map<string, number>();
  readonly #keeper: CursorKeeper;
  readonly #outlet: Outlet;
  readonly #acks: AckSender;
  readonly #puller: Puller;
  readonly #feedContext: FeedContext;
  #userId = 0n;
  #firstSyncDone = false;
  #syncing = false;
  #connected: AbortSignal = AbortSignal.abort();

  constructor(options: ReceiverOptions) {
    const { limits, random, history, post, tracer } = options;
    this.#options = options;
    this.#keeper = new CursorKeeper(options.cursors, limits.cursorSaveMs);
    this.#outlet = new Outlet(limits.maxBufferedMessages, {
      onConsumed: ({ conversationId, seq }) => this.#keeper.set(toHex(conversationId), [conversationId, seq]),
      onRoom: () => this.#resumeStalled(),
    });
    this.#acks = new AckSender({ ...limits, post, tracer });
    this.#puller = new Puller({
      history,
      limits,
      random,
      take: (feed, page) => this.#takePage(feed, page),
      // The next comparison of heads tells whether it can be read again.
      onUnreadable: () => {},
    });
    this.#feedContext = {
      deliver: (message) => this.#outlet.deliver(message),
      onProgress: (feed) => this.#acks.due(feed),
      held: { count: 0, max: limits.maxHeldMessages },
    };
  }

  /** Reads the cursors; call it before the first connection. */
  async load(): Promise<void> {
    for (const [conversationId, seq] of await this.#options.cursors.load()) this.#known.set(toHex(conversationId), seq);
  }

  /** Messages of all conversations, or of one. */
  open(key: string | undefined, signal: AbortSignal | undefined): Stream<ReceivedMessage> {
    return this.#outlet.open(key, signal);
  }

  /** Newest seq known of a conversation, and the newest one given to the application. */
  position(key: string): { readonly head: number; readonly have: number } {
    const feed = this.#feeds.get(key);
    return { head: feed?.head ?? this.#known.get(key) ?? 0, have: feed?.have ?? this.#known.get(key) ?? 0 };
  }

  /** Compares all heads and fetches what is missing; settles when that is done or the connection is over. */
  async catchUp(userId: bigint, connected: AbortSignal): Promise<void> {
    this.#userId = userId;
    this.#connected = connected;
    this.#syncing = true;
    this.#puller.connected(connected);
    this.#acks.connected();
    await this.#compareUntilDone(connected);
    if (connected.aborted) return;
    this.#syncing = false;
    for (const feed of this.#feeds.values()) if (feed.have === undefined) this.#findStart(feed);
    await this.#puller.idle(connected);
  }

  /** Compares all heads once more, while connected. */
  compareHeads(): void {
    if (!this.#connected.aborted && !this.#syncing) void this.#compareUntilDone(this.#connected);
  }

  /** Pushed messages. */
  arrived(conversationId: Uint8Array, messages: readonly Message[]): void {
    this.take(
      conversationId,
      messages.map((message) => toReceived(conversationId, message, this.#userId)),
    );
  }

  /** Messages with contiguous seq that have become known in some other way than by history. */
  take(conversationId: Uint8Array, messages: readonly ReceivedMessage[]): void {
    const feed = this.#feed(conversationId);
    for (const message of messages) if (message.own) this.#options.onOwn(message);
    feed.offer(messages);
    // A conversation that begins with what was pushed needs no question.
    if (feed.have === undefined && messages[0]?.seq === 1 && !this.#known.has(feed.key)) this.#start(feed, 0);
    if (feed.have === undefined && !this.#syncing) this.#findStart(feed);
    this.#watchGap(feed);
  }

  /** A message with this seq exists; it may be on its way. */
  noteHead(conversationId: Uint8Array, seq: number): void {
    const feed = this.#feed(conversationId);
    feed.noteHead(seq);
    if (feed.have === undefined && !this.#syncing) this.#findStart(feed);
    this.#watchGap(feed);
  }

  /** The server pushed these and has no acknowledgement. */
  unacked(heads: readonly UnackedHead[]): void {
    for (const { conversationId, seq } of heads) {
      const feed = this.#feed(Uint8Array.from(conversationId));
      feed.noteHead(Number(seq));
      if (feed.have === undefined) {
        if (!this.#syncing) this.#findStart(feed);
      } else if (feed.behind) this.#puller.want(feed);
      else this.#acks.due(feed);
    }
  }

  async close(): Promise<void> {
    for (const stop of this.#gapTimers.values()) stop();
    this.#gapTimers.clear();
    this.#acks.close();
    this.#puller.close();
    this.#outlet.close();
    await this.#keeper.close();
  }

  #feed(conversationId: Uint8Array): Feed {
    const key = toHex(conversationId);
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      feed = new Feed(Uint8Array.from(conversationId), key, this.#feedContext);
      this.#feeds.set(key, feed);
      const known = this.#known.get(key);
      if (known !== undefined) feed.start(known);
    }
    return feed;
  }

  #start(feed: Feed, have: number): void {
    feed.start(have);
    this.#keeper.set(feed.key, [feed.conversationId, have] satisfies Cursor);
  }

  /** Until the first sync is through, "none" means that what was there before is not wanted. */
  #startAt(feed: Feed, firstSeq: number, headSeq: number): void {
    const before = Math.max(firstSeq - 1, 0);
    if (this.#options.backlog === "all" || this.#firstSyncDone) return this.#start(feed, before);
    const pushed = feed.lowestHeld;
    this.#start(feed, pushed === undefined ? headSeq : Math.max(before, Math.min(headSeq, pushed - 1)));
  }

  async #compareUntilDone(connected: AbortSignal): Promise<void> {
    const { limits, random, sync } = this.#options;
    for (let attempt = 0; !connected.aborted; attempt++) {
      try {
        let pageToken = "";
        do {
          const page = await sync.listHeads({ pageToken }, { signal: connected });
          for (const head of page.heads) this.#takeHead(head);
          pageToken = page.nextPageToken;
        } while (pageToken !== "");
        this.#firstSyncDone = true;
        return;
      } catch (thrown) {
        if (connected.aborted) return;
        await pause(retryDelayMs(ChappeClientError.from(thrown), attempt, limits, random), connected);
      }
    }
  }

  #takeHead({ conversationId, headSeq, firstSeq }: Head): void {
    const feed = this.#feed(conversationId);
    if (feed.have === undefined) this.#startAt(feed, Number(firstSeq), Number(headSeq));
    feed.noteBounds(Number(firstSeq), Number(headSeq));
    this.#puller.want(feed);
  }

  /** A conversation that no sync has named: its newest page says where it begins for this user. */
  #findStart(feed: Feed): void {
    if (this.#gapTimers.has(feed)) return;
    const { history, limits, random } = this.#options;
    const connected = this.#connected;
    const ask = async (): Promise<void> => {
      for (let attempt = 0; !connected.aborted && feed.have === undefined; attempt++) {
        try {
          const { conversationId } = feed;
          const page = await history.listMessages({ conversationId, limit: 1 }, { signal: connected });
          this.#startAt(feed, Number(page.firstSeq), Number(page.headSeq));
          feed.noteBounds(Number(page.firstSeq), Number(page.headSeq));
          return;
        } catch (thrown) {
          const error = ChappeClientError.from(thrown);
          if (connected.aborted || (!error.retryable && error.name !== "NOT_YET")) return;
          await pause(retryDelayMs(error, attempt, limits, random), connected);
        }
      }
    };
    this.#gapTimers.set(feed, () => {});
    void ask().finally(() => {
      this.#gapTimers.delete(feed);
      this.#watchGap(feed);
    });
  }

  /** A gap may close by itself within a moment; then history is asked. */
  #watchGap(feed: Feed): void {
    if (!feed.behind || feed.stalled || this.#gapTimers.has(feed)) return;
    const stop = startTimer(this.#options.limits.gapHoldMs, () => {
      this.#gapTimers.delete(feed);
      this.#puller.want(feed);
    });
    this.#gapTimers.set(feed, stop);
  }

  #takePage(feed: Feed, page: ListMessagesResponse): void {
    feed.noteBounds(Number(page.firstSeq), Number(page.headSeq));
    const messages = page.messages.map((message) => toReceived(feed.conversationId, message, this.#userId));
    for (const message of messages) if (message.own) this.#options.onOwn(message);
    feed.offer(messages);
  }

  #resumeStalled(): void {
    for (const feed of this.#feeds.values()) {
      if (!feed.stalled) continue;
      feed.resume();
      this.#puller.want(feed);
    }
  }
}
