import { setTimeout as sleep } from "node:timers/promises";
import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { encodePushRecords, type PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { WindowGuard } from "@chappe/mesh/hot-window/window-guard.ts";
import { type Logger, silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore, StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { firstContextOf } from "@chappe/mesh/telemetry/trace-context.ts";
import { mergeCommits } from "./merge-commits.ts";
import type { Step } from "./step-builder.ts";

/** What is done again until it succeeds. */
export type Retried = "push" | "dead-letter" | "commit";

/** What createCommitter needs. */
export interface CommitterOptions {
  readonly log: Log;
  readonly store: MessageStore;
  /** Told of every step beside the push log; no commit waits for it. */
  readonly window: WindowGuard | undefined;
  /** Messages between sequenced and committed; over it `room` waits. */
  readonly maxMessagesInFlight: number;
  /** Commits start at least so far apart, so that a busy writer commits in larger batches. */
  readonly commitIntervalMs: number;
  /** `startMs` = since when it was under way, by hops.now. */
  readonly onCommitted: (commit: StoreCommit, startMs: number) => void;
  /** Told of the messages that pass. @default nobody */
  readonly hops?: Hops;
  readonly onRetry: (what: Retried, error: ChappeError) => void;
  /** As Logger.within. @default runs it */
  readonly within?: Logger["within"];
}

/**
 * Takes steps to the push log and the hot window and then, last, to the store, in order. Every effect before the commit
 * repeats harmlessly. A retryable failure is repeated until it succeeds or the committer is abandoned; any other ends it.
 */
export interface Committer {
  /** Throws when the committer has failed: then nothing of the step takes effect. */
  submit(step: Step): void;
  /** Settles when another step may be submitted; rejects when the committer has failed. */
  room(): Promise<void>;
  /** Settles when nothing is in flight, failed or not. Steps that are not committed are given up when `abandon` is set. */
  settled(abandon: boolean): Promise<void>;
  readonly messagesInFlight: number;
}

interface Pending {
  readonly step: Step;
  pushed: boolean;
}

const firstRetryMs = 5;
const maxRetryMs = 500;
/** Retryable for a client, but not by the owner of the partition: it starts again from the store. */
const finalErrors: ReadonlySet<string> = new Set(["STALE_OWNER", "INTERNAL"]);

class OrderedCommitter implements Committer {
  readonly #options: CommitterOptions;
  readonly #hops: Hops;
  readonly #within: Logger["within"];
  readonly #queue: Pending[] = [];
  readonly #roomWaiters: (() => void)[] = [];
  #messagesInFlight = 0;
  #failure: ChappeError | undefined;
  #abandoned = false;
  #running: Promise<void> | undefined;
  #lastStartMs = 0;
  #wake: (() => void) | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#hops = options.hops ?? noHops;
    this.#within = options.within ?? silentLogger.within;
  }

  get messagesInFlight(): number {
    return this.#messagesInFlight;
  }

  submit(step: Step): void {
    if (this.#failure !== undefined) throw this.#failure;
    const pending: Pending = { step, pushed: false };
    this.#queue.push(pending);
    this.#messagesInFlight += step.messages;
    void this.#within(firstContextOf(pushesOf([pending])), () => this.#push(pending));
    this.#options.window?.append(step.commit.runs);
    this.#running ??= this.#run();
  }

  async room(): Promise<void> {
    while (this.#failure === undefined && this.#messagesInFlight >= this.#options.maxMessagesInFlight) {
      await new Promise<void>((resolve) => {
        this.#roomWaiters.push(resolve);
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async settled(abandon: boolean): Promise<void> {
    this.#abandoned ||= abandon;
    if (abandon) this.#wake?.();
    await this.#running;
  }

  async #push(pending: Pending): Promise<void> {
    const startMs = this.#hops.now();
    try {
      const { pushes, deadLetters } = pending.step;
      await Promise.all([...pushes].map(([partition, entries]) => this.#pushTo(partition, entries)));
      if (deadLetters.length > 0) await this.#bury(deadLetters);
      for (const entries of pushes.values()) this.#hops.passed(Hop.PUSH_APPEND, entries, startMs);
      pending.pushed = true;
      this.#wake?.();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Entries of one partition, in order; several records when they are too long for one. */
  async #pushTo(partition: number, entries: readonly PushEntryFields[]): Promise<void> {
    const { log } = this.#options;
    for (const record of encodePushRecords(entries, limits.maxRecordBytes))
      await this.#retrying("push", () => log.append("push", partition, record));
  }

  async #bury(letters: Step["deadLetters"]): Promise<void> {
    const { log } = this.#options;
    for (const { partition, payload } of letters)
      await this.#retrying("dead-letter", () => log.append("dead-letter", partition, payload));
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      if (this.#queue[0]!.pushed) await this.#commitReady();
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    if (this.#failure !== undefined) this.#messagesInFlight = 0;
    this.#running = undefined;
    for (const waiter of this.#roomWaiters.splice(0)) waiter();
  }

  async #commitReady(): Promise<void> {
    const { store, commitIntervalMs, onCommitted } = this.#options;
    const waitMs = this.#lastStartMs + commitIntervalMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    this.#lastStartMs = performance.now();
    const startMs = this.#hops.now();
    const batch = this.#takeReady();
    const commit = mergeCommits(batch.map(({ step }) => step.commit));
    try {
      await this.#within(firstContextOf(pushesOf(batch)), () => this.#retrying("commit", () => store.commit(commit)));
      onCommitted(commit, startMs);
    } catch (error) {
      this.#fail(error);
    }
    for (const { step } of batch) this.#messagesInFlight -= step.messages;
    for (const waiter of this.#roomWaiters.splice(0)) waiter();
  }

  #takeReady(): Pending[] {
    let count = 0;
    while (this.#queue[count]?.pushed) count++;
    return this.#queue.splice(0, count);
  }

  async #retrying<T>(what: Retried, attempt: () => Promise<T>): Promise<T> {
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(maxRetryMs, waitMs * 2)) {
      try {
        return await attempt();
      } catch (cause) {
        const error = ChappeError.from(cause);
        if (this.#abandoned || !error.row.retryable || finalErrors.has(error.row.name)) throw error;
        this.#options.onRetry(what, error);
        await sleep(waitMs);
      }
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= ChappeError.from(error);
    this.#queue.length = 0;
    this.#wake?.();
  }
}

function* pushesOf(batch: readonly Pending[]): Generator<PushEntryFields> {
  for (const { step } of batch) for (const entries of step.pushes.values()) yield* entries;
}

/** A committer with nothing in flight. */
export function createCommitter(options: CommitterOptions): Committer {
  return new OrderedCommitter(options);
}
