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

/** Commits by compare-and-set on the progress, which holds the rows of all steps until the transaction ends. */
export function createCommitting({ mysql, progress, settleMs }: CommittingOptions): Committing {
  /** Steps whose COMMIT was sent and not answered, by partition. */
  const unknown = new Map<number, ProgressStep>();

  const isUnknown = ({ progress: steps }: StoreCommit): boolean =>
    steps.length > 0 && steps.every((step) => isSame(unknown.get(step.partition), step));

  const forget = (partitions: readonly number[]): void => {
    for (const partition of partitions) unknown.delete(partition);
  };

  /** Only the owner of an epoch moves its progress, so a progress at the steps' ends is their doing. */
  const tookEffect = async ({ progress: steps }: StoreCommit): Promise<boolean> => {
    const stored = await progress(steps.map(({ partition }) => partition));
    return steps.every(({ partition, epoch, nextOffset }) => {
      const claim = stored.get(partition);
      return claim?.epoch === epoch && claim.nextOffset === nextOffset;
    });
  };

  const attempt = async (batch: StoreCommit, beforeCommit: () => void): Promise<void> => {
    const { progress: steps } = batch;
    const packets = rowPackets(batch);
    await mysql.transaction(async (session) => {
      const [moved] = steps.length === 0 ? [0] : await session.run(progressUpdate(steps));
      if (moved !== steps.length) throw new ChappeError("STALE_OWNER");
      for (const packet of packets) await session.run(packet);
    }, beforeCommit);
  };

  /**
   * One try. The update of the progress waits until an earlier, cut off transaction with the same steps has ended, and
   * changes nothing when that one was committed: a repetition cannot take effect twice.
   */
  const settle = async (batch: StoreCommit): Promise<void> => {
    if (isUnknown(batch) && (await tookEffect(batch))) return;
    try {
      await attempt(batch, () => {
        for (const step of batch.progress) unknown.set(step.partition, step);
      });
    } catch (error) {
      if (!ChappeError.is(error, "STALE_OWNER") || !isUnknown(batch) || !(await tookEffect(batch))) throw error;
    }
  };

  return {
    forget,
    async commit(batch) {
      const partitions = batch.progress.map(({ partition }) => partition);
      const startMs = performance.now();
      for (let waitMs: number = limits.mysqlRetryMs; ; waitMs = Math.min(limits.mysqlRetryMaxMs, waitMs * 2)) {
        try {
          await settle(batch);
          return forget(partitions);
        } catch (error) {
          if (isDuplicate((error as Error).cause)) {
            const text = "a seq or a send of this commit is stored already; the owner must start again from the store";
            throw new ChappeError("INTERNAL", text, { cause: error });
          }
          if (ChappeError.is(error, "STALE_OWNER")) forget(partitions);
          if (!isUnknown(batch)) throw error;
          if (performance.now() - startMs > settleMs)
            throw new ChappeError("DEADLINE_EXCEEDED", "the outcome of a commit is unknown", { cause: error });
        }
        await sleep(waitMs);
      }
    },
  };
}
