import { setTimeout as sleep } from "node:timers/promises";
import { encodePushRecord } from "@chappe/mesh/codec/push-record.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore, StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { mergeCommits } from "./merge-commits.ts";
import type { Step } from "./step-builder.ts";

/** What createCommitter needs. */
export interface CommitterOptions {
  readonly log: Log;
  readonly store: MessageStore;
  /** Messages between sequenced and committed; over it `room` waits. */
  readonly maxMessagesInFlight: number;
  /** Commits start at least so far apart, so that a busy writer commits in larger batches. */
  readonly commitIntervalMs: number;
  readonly onCommitted: (commit: StoreCommit) => void;
  readonly onRetry: (what: "push" | "commit", error: ChappeError) => void;
}

/**
 * Takes steps to the push log and then, last, to the store, in order. Every effect before the commit repeats
 * harmlessly. A retryable failure is repeated until it succeeds or the committer is abandoned; any other ends it.
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

/** A committer with nothing in flight. */
export function createCommitter(options: CommitterOptions): Committer {
  const { log, store } = options;
  const queue: Pending[] = [];
  let messagesInFlight = 0;
  let failure: ChappeError | undefined;
  let abandoned = false;
  let running: Promise<void> | undefined;
  let lastStartMs = 0;
  let wake: (() => void) | undefined;
  const roomWaiters: (() => void)[] = [];

  const retrying = async <T>(what: "push" | "commit", attempt: () => Promise<T>): Promise<T> => {
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(maxRetryMs, waitMs * 2)) {
      try {
        return await attempt();
      } catch (cause) {
        const error = ChappeError.from(cause);
        if (!error.row.retryable || abandoned || error.row.name === "STALE_OWNER" || error.row.name === "INTERNAL")
          throw error;
        options.onRetry(what, error);
        await sleep(waitMs);
      }
    }
  };

  const fail = (error: unknown): void => {
    failure ??= ChappeError.from(error);
    queue.length = 0;
    wake?.();
  };

  const push = async (pending: Pending): Promise<void> => {
    try {
      const appends = [...pending.step.pushes].map(([partition, entries]) =>
        retrying("push", () => log.append("push", partition, encodePushRecord(entries))),
      );
      await Promise.all(appends);
      pending.pushed = true;
      wake?.();
    } catch (error) {
      fail(error);
    }
  };

  const takeReady = (): Pending[] => {
    let count = 0;
    while (queue[count]?.pushed) count++;
    return queue.splice(0, count);
  };

  const finished = (batch: readonly Pending[]): void => {
    for (const { step } of batch) messagesInFlight -= step.messages;
    for (const waiter of roomWaiters.splice(0)) waiter();
  };

  const run = async (): Promise<void> => {
    while (queue.length > 0 && failure === undefined) {
      if (!queue[0]!.pushed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const waitMs = lastStartMs + options.commitIntervalMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      lastStartMs = performance.now();
      const batch = takeReady();
      const commit = mergeCommits(batch.map(({ step }) => step.commit));
      try {
        await retrying("commit", () => store.commit(commit));
        options.onCommitted(commit);
      } catch (error) {
        fail(error);
      }
      finished(batch);
    }
    if (failure !== undefined) messagesInFlight = 0;
    running = undefined;
    for (const waiter of roomWaiters.splice(0)) waiter();
  };

  return {
    submit(step) {
      if (failure !== undefined) throw failure;
      const pending: Pending = { step, pushed: false };
      queue.push(pending);
      messagesInFlight += step.messages;
      void push(pending);
      running ??= run();
    },
    async room() {
      while (failure === undefined && messagesInFlight >= options.maxMessagesInFlight) {
        await new Promise<void>((resolve) => {
          roomWaiters.push(resolve);
        });
      }
      if (failure !== undefined) throw failure;
    },
    async settled(abandon) {
      abandoned ||= abandon;
      if (abandon) wake?.();
      await running;
    },
    get messagesInFlight() {
      return messagesInFlight;
    },
  };
}
