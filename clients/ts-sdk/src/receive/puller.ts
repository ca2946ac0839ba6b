import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type HistoryService,
  type ListMessagesResponse,
  SeqRangeSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import type { Client } from "@connectrpc/connect";
import { ChappeClientError } from "../client-error.ts";
import type { ClientLimits } from "../limits.ts";
import { retryDelayMs } from "../outbox/send-calls.ts";
import { type Stop, startTimer } from "../timers.ts";
import type { Feed } from "./feed.ts";

/** What a puller needs. */
export interface PullerOptions {
  readonly history: Pick<Client<typeof HistoryService>, "listRanges">;
  readonly limits: ClientLimits;
  readonly random: () => number;
  /** Takes a page: the feed's bounds and messages. */
  readonly take: (feed: Feed, page: ListMessagesResponse) => void;
  /** The user may not read the conversation (any more). */
  readonly onUnreadable: (feed: Feed, error: ChappeClientError) => void;
}

interface Want {
  attempt: number;
  /** Not before, on this device's clock. */
  notBeforeMs: number;
  /** A call for it among others was refused: it is asked for by itself, so that one bad range stops nobody else. */
  alone: boolean;
}

/** Fetches what feeds miss: many conversations a call, one call at a time. */
export class Puller {
  readonly #options: PullerOptions;
  readonly #wants = new Map<Feed, Want>();
  readonly #idle = new Set<() => void>();
  #signal: AbortSignal = AbortSignal.abort();
  #pulling = false;
  #stopTimer: Stop = () => {};

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  /** There is a connection until the signal aborts. */
  connected(signal: AbortSignal): void {
    this.#signal = signal;
    this.#kick();
  }

  /** Fetches what the feed misses; harmless when it misses nothing or is being fetched. */
  want(feed: Feed): void {
    if (!feed.behind || feed.stalled) return;
    if (!this.#wants.has(feed)) this.#wants.set(feed, { attempt: 0, notBeforeMs: 0, alone: false });
    this.#kick();
  }

  /** Settles when nothing is left that can be fetched now, or the signal aborts. */
  idle(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#idle.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.#idle.add(done);
      if (signal.aborted) done();
      else signal.addEventListener("abort", done, { once: true });
      this.#kick();
    });
  }

  close(): void {
    this.#signal = AbortSignal.abort();
    this.#stopTimer();
    this.#wants.clear();
    for (const done of [...this.#idle]) done();
  }

  #kick(): void {
    if (this.#pulling || this.#signal.aborted) return;
    this.#pulling = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    // What this turn still adds goes into the same call.
    await Promise.resolve();
    const signal = this.#signal;
    while (!signal.aborted) {
      this.#prune();
      const feeds = this.#ready();
      if (feeds.length === 0) break;
      await this.#pull(feeds, signal);
    }
    // No await from here on: a want that comes later starts a new run.
    this.#pulling = false;
    if (signal.aborted) return this.#kick();
    for (const done of [...this.#idle]) done();
    this.#wakeLater();
  }

  #prune(): void {
    for (const feed of [...this.#wants.keys()]) if (!feed.behind || feed.stalled) this.#wants.delete(feed);
  }

  /** Feeds of the next call. */
  #ready(): readonly Feed[] {
    const now = performance.now();
    const feeds: Feed[] = [];
    for (const [feed, want] of this.#wants) {
      if (want.notBeforeMs > now) continue;
      if (want.alone) return feeds.length === 0 ? [feed] : feeds;
      feeds.push(feed);
      if (feeds.length >= this.#options.limits.maxRangesPerCall) break;
    }
    return feeds;
  }

  async #pull(feeds: readonly Feed[], signal: AbortSignal): Promise<void> {
    const asked = feeds.map((feed) => ({ feed, have: feed.have }));
    try {
      const { pages } = await this.#options.history.listRanges({ ranges: feeds.map(rangeOf) }, { signal });
      for (const [index, page] of pages.entries()) {
        const feed = feeds[index];
        if (feed !== undefined) this.#options.take(feed, page);
      }
    } catch (thrown) {
      if (!signal.aborted) this.#failed(feeds, ChappeClientError.from(thrown));
      return;
    }
    const moved = asked.filter(({ feed, have }) => feed.have !== have);
    for (const { feed } of moved) this.#wants.delete(feed);
    // The page limit is shared: when others have got on, those with an empty page are only not served yet.
    if (moved.length === 0) for (const feed of feeds) this.#later(feed, undefined);
    for (const { feed } of moved) this.want(feed);
  }

  #failed(feeds: readonly Feed[], error: ChappeClientError): void {
    const ofOneRange = !error.retryable || error.name === "NOT_YET" || error.name === "HISTORY_UNAVAILABLE";
    if (ofOneRange && feeds.length > 1) {
      for (const feed of feeds) this.#wants.set(feed, { attempt: 0, notBeforeMs: 0, alone: true });
      return;
    }
    for (const feed of feeds) {
      if (error.name === "NOT_YET" || error.retryable) this.#later(feed, error);
      else this.#giveUp(feed, error);
    }
  }

  #giveUp(feed: Feed, error: ChappeClientError): void {
    const gone = error.name === "NOT_A_MEMBER" || error.name === "PERMISSION_DENIED" || error.name === "NOT_FOUND";
    if (gone) this.#wants.delete(feed);
    else {
      const notBeforeMs = performance.now() + this.#options.limits.unreadableRetryMs;
      this.#wants.set(feed, { attempt: 0, notBeforeMs, alone: true });
    }
    this.#options.onUnreadable(feed, error);
  }

  #later(feed: Feed, error: ChappeClientError | undefined): void {
    const { limits, random } = this.#options;
    const want = this.#wants.get(feed) ?? { attempt: 0, notBeforeMs: 0, alone: false };
    const notYet = error === undefined || error.name === "NOT_YET";
    const waitMs = notYet
      ? Math.min(limits.notYetRetryMs * 2 ** Math.min(want.attempt, 10), limits.retryMaxMs)
      : retryDelayMs(error, want.attempt, limits, random);
    this.#wants.set(feed, { ...want, attempt: want.attempt + 1, notBeforeMs: performance.now() + waitMs });
  }

  #wakeLater(): void {
    this.#stopTimer();
    if (this.#wants.size === 0) return;
    const next = Math.min(...[...this.#wants.values()].map((want) => want.notBeforeMs));
    this.#stopTimer = startTimer(Math.max(next - performance.now(), 0) + 1, () => this.#kick());
  }
}

/** From what is missing to what is held; without a gap, to the head. */
function rangeOf(feed: Feed): MessageInitShape<typeof SeqRangeSchema> {
  const toSeq = feed.lowestHeld === undefined ? 0 : feed.lowestHeld - 1;
  return create(SeqRangeSchema, {
    conversationId: feed.conversationId,
    fromSeq: BigInt((feed.have ?? 0) + 1),
    toSeq: BigInt(toSeq),
  });
}
