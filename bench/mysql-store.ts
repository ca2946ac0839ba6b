/** `node bench/mysql-store.ts [--json]`: commits of the MySQL message store beside a MariaDB of our own; 15 s. */
import { readFileSync } from "node:fs";
import { startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import type { MessageStore, StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { conversationOf, memberOf, runOf, sendOf } from "./support/store-kit.ts";

const batches = [16, 64, 256];
const conversations = 200;
const contentBytes = 100;
const runMs = 4_000;
const readCount = 300;
/** Clock ticks a second of /proc; fixed on Linux. */
const ticksPerSecond = 100;
const pageCut = { maxMessages: 50, maxBytes: 1_000_000, fromEnd: true };

/** CPU seconds of a process since it started. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Makes commits as MsgWriter does: its messages spread over the conversations, one run a conversation. */
function createLoad(epoch: number, size: number) {
  const heads = new Map<number, number>();
  let offset = 0;
  let at = 0;
  return (): StoreCommit => {
    const counts = new Map<number, number>();
    for (let i = 0; i < size; i++, at++) counts.set(at % conversations, (counts.get(at % conversations) ?? 0) + 1);
    const commit = { progress: [{ partition: size, epoch, fromOffset: offset, nextOffset: ++offset }] };
    const runs = [];
    const sends = [];
    const members = [];
    for (const [n, count] of counts) {
      const conversation = size * 1_000 + n;
      const first = (heads.get(n) ?? 0) + 1;
      heads.set(n, first + count - 1);
      runs.push(runOf(conversation, first, count, contentBytes));
      for (let seq = first; seq < first + count; seq++) sends.push(sendOf(conversation, seq));
      if (first === 1) members.push(memberOf(conversation, 7n, 1));
    }
    return { ...commit, runs, sends, members };
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

async function measure(store: MessageStore, serverPid: number, size: number) {
  const { epoch } = (await store.claim([size])).get(size)!;
  const nextCommit = createLoad(epoch, size);
  for (let i = 0; i < 20; i++) await store.commit(nextCommit());
  // Made ahead: making them is MsgWriter's CPU, not the store's.
  const commits = Array.from({ length: Math.ceil(120_000 / size) }, nextCommit);
  const [ownBefore, serverBefore] = [process.cpuUsage(), cpuSecondsOf(serverPid)];
  const startMs = performance.now();
  let done = 0;
  while (done < commits.length && performance.now() - startMs < runMs) await store.commit(commits[done++]!);
  const seconds = (performance.now() - startMs) / 1_000;
  const own = process.cpuUsage(ownBefore);
  const messages = done * size;
  return {
    commitsPerSecond: Math.round(done / seconds),
    messagesPerSecond: Math.round(messages / seconds),
    ownCpuUsPerMessage: round((own.user + own.system) / messages),
    serverCpuUsPerMessage: round(((cpuSecondsOf(serverPid) - serverBefore) * 1e6) / messages),
  };
}

async function measureReads(store: MessageStore): Promise<Record<string, number>> {
  const startMs = performance.now();
  for (let i = 0; i < readCount; i++)
    await store.readRange(conversationOf(64_000 + (i % conversations)), 1, 1_000_000, pageCut);
  const pageMs = (performance.now() - startMs) / readCount;
  const ids = Array.from({ length: conversations }, (_, n) => conversationOf(64_000 + n));
  const headsMs = performance.now();
  await store.heads(ids);
  return { pageOf50Ms: round(pageMs), headsOf200Ms: round(performance.now() - headsMs) };
}

const server = await startMariadb();
try {
  await migrate(server.login);
  const store = await createMysqlMessageStore(server.login);
  const figures: Record<string, Record<string, number>> = {};
  for (const size of batches) figures[`batches of ${size}`] = await measure(store, server.pid, size);
  figures.reads = await measureReads(store);
  await store.close();
  if (process.argv.includes("--json")) console.log(JSON.stringify({ scenario: "mysql-store", ...figures }));
  else console.table(figures);
} finally {
  await server.close();
}
