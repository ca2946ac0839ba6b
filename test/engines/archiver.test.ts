import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Committing, conversationOf, runOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { createSqliteHistory } from "@chappe/mesh/engines/sqlite-history/create-sqlite-history.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import { type Archiver, type ArchiverOptions, createArchiver } from "@chappe/services/archiver/archiver.ts";
import { afterEach, beforeEach, expect, test } from "vitest";

const dayMs = 86_400_000;
const today = 1_000;
const all = { maxMessages: 100_000, maxBytes: 100_000_000 };
let directory: string;
let history: MessageHistory;
let store: ReturnType<typeof createMemoryMessageStore>;
let writer: Committing;
let nowMs: number;
const running: Archiver[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "chappe-archiver-"));
  history = await createSqliteHistory({ directory });
  store = createMemoryMessageStore();
  writer = new Committing(store);
  await writer.claim();
  nowMs = today * dayMs;
});
afterEach(async () => {
  for (const archiver of running.splice(0)) await archiver.close();
  await store.close();
  await history.close();
  rmSync(directory, { recursive: true });
});

function start(options: Partial<ArchiverOptions> = {}): Archiver {
  const common = { source: store.archive, history, logger: silentLogger, now: () => nowMs };
  const archiver = createArchiver({ ...common, afterDays: 2, graceMs: 0, checkMs: 5, ...options });
  running.push(archiver);
  return archiver;
}

const commitOn = (day: number, conversation: number, first: number, count: number) =>
  writer.commit([runOf(conversation, first, count, 40, day * dayMs)]);
const until = <T>(read: () => T) => expect.poll(read, { timeout: 10_000, interval: 5 });
const inStore = async (n: number) => seqsOf(await store.readRange(conversationOf(n), 1, 10_000, all));
const inHistory = async (n: number) => seqsOf(await history.readRange(conversationOf(n), 1, 10_000, all));

test("days within the window stay, older ones move, whole and once", async () => {
  await commitOn(today - 5, 1, 1, 300);
  await commitOn(today - 4, 1, 301, 300);
  await commitOn(today - 4, 2, 1, 1);
  await commitOn(today - 3, 1, 601, 50);
  await commitOn(today - 2, 1, 651, 50);
  await commitOn(today, 1, 701, 50);
  const archiver = start();
  await until(() => archiver.stats().archivedDays).toBe(3);
  expect(await inStore(1)).toEqual(upTo(651, 750));
  expect(await inHistory(1)).toEqual(upTo(1, 650));
  expect(await inHistory(2)).toEqual([1]);
  const days = await store.archive.days();
  expect(days.map(({ day, step, messages }) => [day, step, messages])).toEqual([
    [today - 5, "archived", 300],
    [today - 4, "archived", 301],
    [today - 3, "archived", 50],
  ]);
  for (const { digest } of days) expect(digest).toMatch(/^[\da-f]{64}$/);
  nowMs += dayMs;
  await until(() => archiver.stats().archivedDays).toBe(4);
  expect(await inStore(1)).toEqual(upTo(701, 750));
});

test("nothing is dropped before the grace is over, however often it looks", async () => {
  await commitOn(today - 5, 1, 1, 10);
  const archiver = start({ graceMs: 60_000 });
  await until(() => archiver.stats().step).toBe("waiting");
  await new Promise((resolve) => setTimeout(resolve, 50));
  nowMs += 59_999;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await inStore(1)).toEqual(upTo(1, 10));
  expect(archiver.stats().verifiedMessages).toBe(0);
  nowMs += 1;
  await archiver.close();
  const next = start({ graceMs: 60_000 });
  await until(() => next.stats().archivedDays).toBe(1);
  expect(next.stats().copiedMessages).toBe(0);
});

test("what the history has lost before the verification is copied again, and waits again", async () => {
  await commitOn(today - 5, 1, 1, 600);
  let losing = true;
  const forgetful: MessageHistory = {
    put: (runs) => history.put(losing ? runs.filter(({ firstSeq }) => firstSeq !== 1) : runs),
    readRange: (...wanted) => history.readRange(...wanted),
    close: async () => {},
  };
  const archiver = start({ history: forgetful, graceMs: 1_000 });
  await until(() => archiver.stats().step).toBe("waiting");
  losing = false;
  nowMs += 1_000;
  await archiver.close();
  const next = start({ history: forgetful, graceMs: 1_000 });
  await until(() => next.stats().recopies).toBe(1);
  await until(() => next.stats().step).toBe("waiting");
  expect(await inStore(1)).toEqual(upTo(1, 600));
  nowMs += 1_000;
  await next.close();
  const last = start({ history: forgetful, graceMs: 1_000 });
  await until(() => last.stats().archivedDays).toBe(1);
  expect(await inHistory(1)).toEqual(upTo(1, 600));
});

test("a commit into a day that is being verified is not dropped unseen", async () => {
  await commitOn(today - 5, 1, 1, 600);
  let late: Promise<void> | undefined;
  const slow: MessageHistory = {
    put: (runs) => history.put(runs),
    async readRange(...wanted) {
      // It comes behind the verification: its conversation was looked at already.
      late ??= commitOn(today - 5, 0, 1, 7);
      await late;
      return history.readRange(...wanted);
    },
    close: async () => {},
  };
  const archiver = start({ history: slow });
  await until(() => archiver.stats().archivedDays).toBe(1);
  expect(archiver.stats().recopies).toBe(1);
  expect(await inHistory(0)).toEqual(upTo(1, 7));
  expect(await inHistory(1)).toEqual(upTo(1, 600));
  expect(await inStore(0)).toEqual([]);
});

test("a history that is not there makes it pause, and the days stay until it is back", async () => {
  await commitOn(today - 5, 1, 1, 100);
  let down = true;
  const broken: MessageHistory = {
    put: (runs) => (down ? Promise.reject(new ChappeError("UNAVAILABLE")) : history.put(runs)),
    readRange: (...wanted) => history.readRange(...wanted),
    close: async () => {},
  };
  const archiver = start({ history: broken });
  await until(() => archiver.stats().state).toBe("paused");
  expect(await inStore(1)).toEqual(upTo(1, 100));
  down = false;
  await until(() => archiver.stats().archivedDays).toBe(1);
  expect(await inHistory(1)).toEqual(upTo(1, 100));
});

test("of two archivers one leads; when it ends the other goes on", async () => {
  const first = start();
  await until(() => first.stats().state).toBe("leading");
  const second = start();
  await until(() => second.stats().state).toBe("waiting");
  await first.close();
  await commitOn(today - 5, 1, 1, 10);
  await until(() => second.stats().archivedDays).toBe(1);
});

test("windows that would touch open days are refused", () => {
  expect(() => start({ afterDays: 1 })).toThrow(/at least 2 days/);
});
