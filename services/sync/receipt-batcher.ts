import { limits } from "@chappe/mesh/limits.ts";
import { type CursorEntry, CursorMap } from "./cursor-map.ts";

/** Receipts that wait a moment for company. */
export interface ReceiptBatcher {
  /** Adds; a receipt of the same user in the same conversation becomes one with it. Dropped when too many wait. */
  add(conversation: string, userId: bigint, deliveredSeq: number, readSeq: number): void;
  /** Publishes what waits. */
  close(): Promise<void>;
}

/** What createReceiptBatcher needs. */
export interface ReceiptBatcherOptions {
  /** Takes one batch; a batch that fails is lost, as receipts may be. One batch is in flight at a time. */
  readonly publish: (batch: readonly CursorEntry[]) => Promise<void>;
  /** @default limits.receiptPublishMs */
  readonly publishMs?: number;
  /** @default limits.maxReceiptsPerBatch */
  readonly maxPerBatch?: number;
  /** @default limits.maxPendingReceipts */
  readonly maxPending?: number;
}

/** A batcher with nothing waiting; it has no timer while idle. */
export function createReceiptBatcher(options: ReceiptBatcherOptions): ReceiptBatcher {
  const { publish, publishMs = limits.receiptPublishMs, maxPerBatch = limits.maxReceiptsPerBatch } = options;
  const maxPending = options.maxPending ?? limits.maxPendingReceipts;
  const waiting = new CursorMap();
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> = Promise.resolve();

  const flush = async (): Promise<void> => {
    while (waiting.size > 0) await publish(waiting.take(maxPerBatch).entries()).catch(() => undefined);
  };
  return {
    add(conversation, userId, deliveredSeq, readSeq) {
      if (waiting.size >= maxPending && waiting.get(conversation, userId) === undefined) return;
      waiting.raise(conversation, userId, deliveredSeq, readSeq);
      timer ??= setTimeout(() => {
        timer = undefined;
        flushing = flushing.then(flush);
      }, publishMs);
    },
    async close() {
      clearTimeout(timer);
      await flushing;
      await flush();
    },
  };
}
