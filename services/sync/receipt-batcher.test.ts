import { describe, expect, it } from "vitest";
import type { CursorEntry } from "./cursor-map.ts";
import { createReceiptBatcher, type ReceiptBatcherOptions } from "./receipt-batcher.ts";

const one = "a".repeat(16);

function recorded(options: Partial<ReceiptBatcherOptions> = {}) {
  const batches: (readonly CursorEntry[])[] = [];
  const publish = async (batch: readonly CursorEntry[]): Promise<void> => void batches.push(batch);
  return { batches, batcher: createReceiptBatcher({ publish, ...options }) };
}

describe("receipts", () => {
  it("of one user in one conversation become one, with the highest of each kind", async () => {
    const { batches, batcher } = recorded();
    batcher.add(one, 1n, 5, 0);
    batcher.add(one, 1n, 3, 2);
    batcher.add(one, 2n, 1, 0);
    await batcher.close();
    expect(batches).toEqual([
      [
        { conversation: one, userId: 1n, deliveredSeq: 5, readSeq: 2 },
        { conversation: one, userId: 2n, deliveredSeq: 1, readSeq: 0 },
      ],
    ]);
  });

  it("leave in bounded batches, in spite of one that fails", async () => {
    const sizes: number[] = [];
    const publish = async (batch: readonly CursorEntry[]): Promise<void> => {
      if (sizes.push(batch.length) === 1) throw new Error("lost");
    };
    const { batcher } = recorded({ maxPerBatch: 2, publish });
    for (const userId of [1n, 2n, 3n, 4n, 5n]) batcher.add(one, userId, 1, 0);
    await batcher.close();
    expect(sizes).toEqual([2, 2, 1]);
  });

  it("are dropped when too many wait, known ones excepted", async () => {
    const { batches, batcher } = recorded({ maxPending: 1 });
    batcher.add(one, 1n, 1, 0);
    batcher.add(one, 2n, 1, 0);
    batcher.add(one, 1n, 2, 0);
    await batcher.close();
    expect(batches).toEqual([[{ conversation: one, userId: 1n, deliveredSeq: 2, readSeq: 0 }]]);
  });
});
