import { createMemoryBusinessStore } from "@chappe/mesh/engines/memory-stores/create-memory-business-store.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import type { CursorRow } from "@chappe/mesh/ports/business-store.ts";
import { describe, expect, it } from "vitest";
import { createCursorBook } from "./cursor-book.ts";

const [one, two] = ["a".repeat(16), "b".repeat(16)] as const;

/** A store that fails as often as it is told, and tells of each write. */
function flakyStore(failures: number) {
  const store = createMemoryBusinessStore();
  const writes: number[] = [];
  let onWrite = (): void => {};
  return {
    writes,
    cursorOf: async (key: string, userId: bigint) => (await store.cursorsOf(userId, [conversationIdOfKey(key)]))[0],
    written: (count: number) =>
      new Promise<void>((resolve) => {
        onWrite = () => writes.length >= count && resolve();
      }),
    async raiseCursors(rows: readonly CursorRow[]) {
      writes.push(rows.length);
      try {
        if (writes.length <= failures) throw new ChappeError("DISK_FULL");
        await store.raiseCursors(rows);
      } finally {
        onWrite();
      }
    },
  };
}

describe("the cursor book", () => {
  it("keeps what the store did not take and writes it with what came since", async () => {
    const store = flakyStore(1);
    const book = createCursorBook(store, { flushMs: 1 });
    book.raise(one, 1n, 5, 0);
    await store.written(1);
    book.raise(one, 1n, 3, 4);
    expect(book.waiting(one, 1n)).toEqual({ deliveredSeq: 5, readSeq: 4 });
    await store.written(2);
    await book.close();
    expect(await store.cursorOf(one, 1n)).toMatchObject({ deliveredSeq: 5, readSeq: 4 });
    expect(book.waiting(one, 1n)).toBeUndefined();
  });

  it("is full at its bound, while known cursors still rise, and has room again once the store takes them", async () => {
    const store = flakyStore(0);
    const book = createCursorBook(store, { maxDirty: 2, flushMs: 1 });
    book.raise(one, 1n, 1, 0);
    book.raise(two, 1n, 1, 0);
    const full = expect.objectContaining({ row: expect.objectContaining({ name: "OVERLOADED", retryable: true }) });
    expect(() => book.raise(two, 2n, 1, 0)).toThrow(full);
    expect(() => book.raise(two, 2n, 1, 0)).toThrow(expect.objectContaining({ retryAfterMs: 1 }));
    expect(book.raise(two, 1n, 2, 0)).toBe(true);
    await store.written(1);
    await book.close();
    expect(book.raise(two, 2n, 1, 0)).toBe(true);
    await book.close();
  });

  it("stays bounded while the store fails", async () => {
    const store = flakyStore(Number.POSITIVE_INFINITY);
    const book = createCursorBook(store, { maxDirty: 1, flushMs: 1 });
    book.raise(one, 1n, 1, 0);
    await store.written(2);
    expect(() => book.raise(one, 2n, 1, 0)).toThrow(/wait for the store/);
    await book.close();
  });

  it("says whether a cursor rose, shows what waits, and writes in pieces", async () => {
    const store = flakyStore(0);
    const book = createCursorBook(store, { maxRowsPerWrite: 2, flushMs: 60_000 });
    for (const userId of [1n, 2n, 3n]) expect(book.raise(one, userId, 2, 1)).toBe(true);
    expect(book.raise(one, 1n, 2, 1)).toBe(false);
    expect(book.raise(one, 1n, 1, 2)).toBe(true);
    expect(book.waitingOf(one).get(1n)).toEqual({ deliveredSeq: 2, readSeq: 2 });
    expect(book.waitingOf(two).size).toBe(0);
    await book.close();
    expect(store.writes).toEqual([2, 1]);
  });
});
