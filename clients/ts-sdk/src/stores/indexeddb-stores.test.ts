import "fake-indexeddb/auto";
import { afterEach, expect, test } from "vitest";
import { toHex } from "../ids.ts";
import type { OutboxEntry, OutboxStore } from "../outbox/outbox-store.ts";
import { createIndexedDbCursors } from "./indexeddb-cursors.ts";
import { createIndexedDbOutbox } from "./indexeddb-outbox.ts";

const open: OutboxStore[] = [];
const name = (): string => `test-${toHex(crypto.getRandomValues(new Uint8Array(6)))}`;
const entry = (n: number): OutboxEntry => ({
  key: n.toString(16).padStart(32, "0"),
  userId: 1n,
  request: new Uint8Array([n]),
});

/** A tab; `adopted` resolves with the first entries it takes over. */
async function tab(database: string, { locks }: { locks: LockManager | undefined } = navigator) {
  const adopted = Promise.withResolvers<readonly OutboxEntry[]>();
  const store = createIndexedDbOutbox({ name: database, adoptIntervalMs: 5, locks });
  open.push(store);
  const left = await store.open(adopted.resolve);
  return { store, left, adopted: adopted.promise };
}

afterEach(() => Promise.all(open.splice(0).map((store) => store.close())));

test("a tab that dies leaves its sends to the one that holds the outbox", async () => {
  const database = name();
  const [holder, other] = [await tab(database), await tab(database)];
  await other.store.write({ put: [entry(2), entry(1)] });
  await other.store.write({ remove: [entry(2).key], put: [entry(3)] });
  await other.store.close();
  expect(await holder.adopted).toEqual([entry(1), entry(3)]);
});

test("the entries of a living tab are its own", async () => {
  const database = name();
  const [first, second] = [await tab(database), await tab(database)];
  await first.store.write({ put: [entry(1)] });
  await second.store.write({ put: [entry(2)] });
  await second.store.close();
  expect(await first.adopted).toEqual([entry(2)]);
  await first.store.close();
  const third = await tab(database);
  expect(await third.adopted).toEqual([entry(1), entry(2)]);
});

test("when the holder dies another tab takes its place", async () => {
  const database = name();
  const [holder, other] = [await tab(database), await tab(database)];
  await holder.store.write({ put: [entry(1)] });
  await holder.store.close();
  expect(await other.adopted).toEqual([entry(1)]);
  await other.store.write({ remove: [entry(1).key] });
});

test("the next start finds what the last one left, without locks too", async () => {
  const database = name();
  const first = await tab(database, { locks: undefined });
  expect(first.left).toEqual([]);
  await first.store.write({ put: [entry(1)] });
  await first.store.close();
  const next = await tab(database, { locks: undefined });
  expect(next.left).toEqual([entry(1)]);
  await next.store.write({ remove: [entry(1).key] });
  await next.store.close();
  expect((await tab(database, { locks: undefined })).left).toEqual([]);
});

test("cursors come back", async () => {
  const database = name();
  const cursors = createIndexedDbCursors({ name: database });
  const [a, b] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)];
  expect(await cursors.load()).toEqual([]);
  await cursors.save([
    [a, 1],
    [b, 5],
  ]);
  await cursors.save([[a, 3]]);
  await cursors.close();
  expect(await createIndexedDbCursors({ name: database }).load()).toEqual([
    [a, 3],
    [b, 5],
  ]);
});
