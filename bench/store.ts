/** `node bench/store.ts [--json]`: CPU of storing on the embedded message store, and of its reads. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";
import type { MessageStore, StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { conversationOf, memberOf, runOf, sendOf } from "./support/store-kit.ts";

const messages = 100_000;
const messagesPerCommit = 512;
const contentBytes = 100;
const pageMessages = 50;
const reads = 500;

/** Loads: conversations among which messages are spread evenly. */
const loads = { busy200: 200, sparse20000: 20_000, hot: 1 } as const;

function cpuUs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

/** Commits with everything that MsgWriter gives, made before the clock starts. */
function makeCommits(conversations: number, epoch: number): StoreCommit[] {
  const heads = new Map<number, number>();
  const commits: StoreCommit[] = [];
  for (let at = 0; at < messages; at += messagesPerCommit) {
    const counts = new Map<number, number>();
    for (let i = at; i < at + messagesPerCommit; i++) {
      const conversation = i % conversations;
      counts.set(conversation, (counts.get(conversation) ?? 0) + 1);
    }
    const runs = [];
    const sends = [];
    const members = [];
    for (const [conversation, count] of counts) {
      const first = (heads.get(conversation) ?? 0) + 1;
      heads.set(conversation, first + count - 1);
      runs.push(runOf(conversation, first, count, contentBytes));
      for (let seq = first; seq < first + count; seq++) sends.push(sendOf(conversation, seq));
      if (first === 1) members.push(memberOf(conversation, 7n, 1));
    }
    const step = { partition: 0, epoch, fromOffset: commits.length, nextOffset: commits.length + 1 };
    commits.push({ progress: [step], runs, sends, members });
  }
  return commits;
}

async function timed(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  return cpuUs(start) / count;
}

async function readPages(store: MessageStore, conversations: number): Promise<void> {
  const cut = { maxMessages: pageMessages, maxBytes: 1_000_000, fromEnd: true };
  for (let i = 0; i < reads; i++) await store.readRange(conversationOf((i * 37) % conversations), 1, 1_000_000, cut);
}

async function measure(conversations: number) {
  const directory = mkdtempSync(join(tmpdir(), "chappe-bench-store-"));
  try {
    const store = await createSqliteMessageStore({ directory });
    const { epoch } = (await store.claim([0])).get(0)!;
    const commits = makeCommits(conversations, epoch);
    const storeUs = await timed(messages, async () => {
      for (const commit of commits) {
        await store.commit(commit);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await store.claim([1]);
    });
    const pageUs = await timed(reads, () => readPages(store, conversations));
    const ids = Array.from({ length: Math.min(1_000, conversations) }, (_, i) => conversationOf(i));
    const headsUs = await timed(1, () => store.heads(ids));
    await store.close();
    const round = (value: number): number => Math.round(value * 10) / 10;
    return { storeUsPerMessage: round(storeUs), pageOf50Us: round(pageUs), headsUs: round(headsUs), heads: ids.length };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const figures: Record<string, unknown> = { scenario: "store", messages, messagesPerCommit };
for (const [name, conversations] of Object.entries(loads)) figures[name] = await measure(conversations);
if (process.argv.includes("--json")) console.log(JSON.stringify(figures));
else console.table(Object.fromEntries(Object.keys(loads).map((name) => [name, figures[name]])));
