import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { upTo } from "../../test-support/collect.ts";
import { type Fixture, startFixture } from "../../test-support/fixture.ts";
import { directConversationId } from "../ids.ts";
import { createFileCursors, createFileOutbox } from "../node.ts";
import type { OutboxEntry } from "../outbox/outbox-store.ts";

let folder: string;
let path: string;
let fixture: Fixture | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "chappe-sdk-"));
  path = join(folder, "outbox");
});
afterEach(async () => {
  await fixture?.close();
  fixture = undefined;
  await rm(folder, { recursive: true });
});

const entry = (n: number, bytes = 3): OutboxEntry => ({
  key: n.toString(16).padStart(32, "0"),
  userId: 2n ** 62n + 1n,
  request: new Uint8Array(bytes).fill(n),
});
/** Opens it as a program does that comes after a crash: nothing was closed. */
const reopen = (): Promise<readonly OutboxEntry[]> => createFileOutbox({ path }).open(() => {});

test("what was written is there after a crash, in order of key", async () => {
  const store = createFileOutbox({ path });
  expect(await store.open(() => {})).toEqual([]);
  await Promise.all([store.write({ put: [entry(2)] }), store.write({ put: [entry(1), entry(3)] })]);
  await store.write({ remove: [entry(2).key] });
  await store.write({ remove: [entry(3).key], put: [entry(3, 5)] });
  expect(await reopen()).toEqual([entry(1), entry(3, 5)]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test.each([1, 8, 20])(
  "a last line cut %i bytes short is as if it had never been, and the next one is whole",
  async (cut) => {
    const store = createFileOutbox({ path });
    await store.open(() => {});
    await store.write({ put: [entry(1)] });
    await store.write({ put: [entry(2)] });
    await store.close();
    await truncate(path, (await stat(path)).size - cut);
    const again = createFileOutbox({ path });
    expect(await again.open(() => {})).toEqual([entry(1)]);
    await again.write({ put: [entry(3)] });
    expect(await reopen()).toEqual([entry(1), entry(3)]);
  },
);

test("damage before the end is told, not skipped", async () => {
  const store = createFileOutbox({ path });
  await store.open(() => {});
  await store.write({ put: [entry(1)] });
  await store.write({ put: [entry(2)] });
  await store.close();
  const bytes = await readFile(path);
  bytes[20] = bytes[20]! ^ 1;
  await writeFile(path, bytes);
  await expect(reopen()).rejects.toMatchObject({ name: "CORRUPT" });
});

test("a line of foreign text at the end is cut off", async () => {
  await createFileOutbox({ path }).open(() => {});
  await appendFile(path, "no checksum here\n");
  expect(await reopen()).toEqual([]);
});

test("the file is rewritten when most of it is settled, and nothing is lost by it", async () => {
  const store = createFileOutbox({ path, compactBytes: 4_000 });
  await store.open(() => {});
  await store.write({ put: [entry(500)] });
  const writes: Promise<void>[] = [];
  for (const n of upTo(100)) {
    writes.push(store.write({ put: [entry(n, 100)] }));
    if (n % 10 === 0) await Promise.all(writes.splice(0));
    writes.push(store.write({ remove: [entry(n).key] }));
  }
  await Promise.all(writes);
  await store.write({ put: [entry(501)] });
  await store.close();
  expect((await stat(path)).size).toBeLessThan(8_000);
  expect(await reopen()).toEqual([entry(500), entry(501)]);
});

test("a disk that refuses fails the write and leaves the file whole", async () => {
  const store = createFileOutbox({ path });
  await store.open(() => {});
  await store.write({ put: [entry(1)] });
  await store.close();
  await expect(store.write({ put: [entry(2)] })).rejects.toThrow();
  expect(await reopen()).toEqual([entry(1)]);
});

test("cursors come back, the newest of each conversation", async () => {
  const [a, b] = [directConversationId(1n, 2n), directConversationId(1n, 3n)];
  const cursors = createFileCursors({ path, compactBytes: 200 });
  await cursors.load();
  for (const n of upTo(20)) await cursors.save([[a, n]]);
  await cursors.save([[b, 7]]);
  const loaded = await createFileCursors({ path }).load();
  expect(new Map(loaded.map(([id, seq]) => [id[15], seq]))).toEqual(
    new Map([
      [2, 20],
      [3, 7],
    ]),
  );
  expect((await stat(path)).size).toBeLessThan(700);
});

test("a client's sends survive its death and are sent by the next one, once", async () => {
  fixture = await startFixture();
  const { server } = fixture;
  const conversation = directConversationId(1n, 2n);
  server.faults.request = (name) => (name === "Send" ? "cut-after" : undefined);
  const dead = await fixture.join(1, { outbox: createFileOutbox({ path }) });
  const sent = upTo(5).map((n) => dead.send(conversation, { text: `${n}` }));
  await expect.poll(() => server.sends.length).toBeGreaterThan(0);
  await dead.close();
  for (const handle of sent) await handle.sequenced.catch(() => {});
  server.faults = {};
  const next = await fixture.join(1, { outbox: createFileOutbox({ path }) });
  await Promise.all(next.pending.map((handle) => handle.sequenced));
  const texts = server.conversation(conversation).messages.map((message) => message.content?.kind.value);
  expect(texts).toMatchObject(upTo(5).map((n) => ({ text: `${n}` })));
  expect(server.changedResends).toEqual([]);
});
