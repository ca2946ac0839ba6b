import { setTimeout as sleep } from "node:timers/promises";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Claim, ProgressStep, StoreCommit } from "../../ports/message-store.ts";
import { isDuplicate } from "../mysql/mysql-error.ts";
import type { Mysql } from "../mysql/open-mysql.ts";
import { progressUpdate, rowPackets } from "./commit-statements.ts";

/** What createCommitting needs. */
export interface CommittingOptions {
  readonly mysql: Mysql;
  /** MessageStore.progress. */
  readonly progress: (partitions: readonly number[]) => Promise<ReadonlyMap<number, Claim>>;
  /** How long a commit of unknown outcome is settled before it is given back as such. */
  readonly settleMs: number;
}

/** MessageStore.commit. */
export interface Committing {
  /**
   * As MessageStore.commit. DEADLINE_EXCEEDED: nobody knows yet whether it took effect. The same batch may be given
   * again and settles then: done, or STALE_OWNER.
   */
  commit(batch: StoreCommit): Promise<void>;
  /** The partitions are claimed anew: what was unknown of them is the past. */
  forget(partitions: readonly number[]): void;
}

const isSame = (a: ProgressStep | undefined, b: ProgressStep): boolean =>
  a?.epoch === b.epoch && a.fromOffset === b.fromOffset && a.nextOffset === b.nextOffset;

class SettlingCommitting implements Committing {
  readonly #options: CommittingOptions;
  /** Steps whose COMMIT was sent and not answered, by partition. */
  readonly #unknown = new Map<number, ProgressStep>();

  constructor(options: CommittingOptions) {
    this.#options = options;
  }

  forget(partitions: readonly number[]): void {
    for (const partition of partitions) this.#unknown.delete(partition);
  }

  async commit(batch: StoreCommit): Promise<void> {
    const startMs = performance.now();
    for (let waitMs: number = limits.mysqlRetryMs; ; waitMs = Math.min(limits.mysqlRetryMaxMs, waitMs * 2)) {
      try {
        await this.#settle(batch);
        return this.forget(batch.progress.map(({ partition }) => partition));
      } catch (error) {
        this.#judge(batch, error, performance.now() - startMs);
      }
      await sleep(waitMs);
    }
  }

  /** Throws what ends a commit; returns when its outcome is unknown and there is time to settle it. */
  #judge(batch: StoreCommit, error: unknown, passedMs: number): void {
    if (isDuplicate((error as Error).cause)) {
      const text = "a seq or a send of this commit is stored already; the owner must start again from the store";
      throw new ChappeError("INTERNAL", text, { cause: error });
    }
    if (ChappeError.is(error, "STALE_OWNER")) this.forget(batch.progress.map(({ partition }) => partition));
    if (!this.#isUnknown(batch)) throw error;
    if (passedMs > this.#options.settleMs)
      throw new ChappeError("DEADLINE_EXCEEDED", "the outcome of a commit is unknown", { cause: error });
  }

  /**
   * One try. The update of the progress waits until an earlier, cut off transaction with the same steps has ended, and
   * changes nothing when that one was committed: a repetition cannot take effect twice.
   */
  async #settle(batch: StoreCommit): Promise<void> {
    if (this.#isUnknown(batch) && (await this.#tookEffect(batch))) return;
    try {
      await this.#attempt(batch);
    } catch (error) {
      const settles = ChappeError.is(error, "STALE_OWNER") && this.#isUnknown(batch);
      if (!settles || !(await this.#tookEffect(batch))) throw error;
    }
  }

  async #attempt(batch: StoreCommit): Promise<void> {
    const { progress: steps } = batch;
    const packets = rowPackets(batch);
    await this.#options.mysql.transaction(
      async (session) => {
        const [moved] = steps.length === 0 ? [0] : await session.run(progressUpdate(steps));
        if (moved !== steps.length) throw new ChappeError("STALE_OWNER");
        for (const packet of packets) await session.run(packet);
      },
      () => {
        for (const step of steps) this.#unknown.set(step.partition, step);
      },
    );
  }

  #isUnknown({ progress: steps }: StoreCommit): boolean {
    return steps.length > 0 && steps.every((step) => isSame(this.#unknown.get(step.partition), step));
  }

  /** Only the owner of an epoch moves its progress, so a progress at the steps' ends is their doing. */
  async #tookEffect({ progress: steps }: StoreCommit): Promise<boolean> {
    const stored = await this.#options.progress(steps.map(({ partition }) => partition));
    return steps.every(({ partition, epoch, nextOffset }) => {
      const claim = stored.get(partition);
      return claim?.epoch === epoch && claim.nextOffset === nextOffset;
    });
  }
}

/** Commits by compare-and-set on the progress, which holds the rows of all steps until the transaction ends. */
export function createCommitting(options: CommittingOptions): Committing {
  return new SettlingCommitting(options);
}
