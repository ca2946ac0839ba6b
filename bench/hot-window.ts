/** `node bench/hot-window.ts [--json]`: the hot window in memory, on one Redis and on three: appends and pages; 30 s. */
import { startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { createMemoryHotWindow } from "@chappe/mesh/engines/memory-hot-window/memory-hot-window.ts";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { MessageRun } from "@chappe/mesh/ports/message-store.ts";
import { cpuSecondsOf } from "./support/process-usage.ts";
import { conversationOf, runOf } from "./support/store-kit.ts";

const batches = [16, 256];
const conversations = 200;
const contentBytes = 100;
const runMs = 3_000;
const warmupBatches = 50;
const readCount = 500;
const pageBounds = { maxMessages: 50, maxBytes: 512 * 1024, fromEnd: true };
const newest = 1_000_000_000;
const clusterNodes = 3;

const round = (value: number): number => Math.round(value * 10) / 10;

/** Batches as MsgWriter makes them: messages spread over the conversations, one run a conversation. */
function createLoad(size: number) {
  const heads = new Map<number, number>();
  let at = 0;
  return (): MessageRun[] => {
    const counts = new Map<number, number>();
    for (let i = 0; i < size; i++, at++) counts.set(at % conversations, (counts.get(at % conversations) ?? 0) + 1);
    return [...counts].map(([n, count]) => {
      const firstSeq = (heads.get(n) ?? 0) + 1;
      heads.set(n, firstSeq + count - 1);
      return runOf(size * conversations + n, firstSeq, count, contentBytes);
    });
  };
}

async function measureAppends(window: HotWindow, pids: readonly number[], size: number) {
  const next = createLoad(size);
  for (let i = 0; i < warmupBatches; i++) await window.append(next());
  // Made ahead: making them is MsgWriter's CPU, not the window's.
  const made = Array.from({ length: Math.ceil(300_000 / size) }, next);
  const cpuOf = (): number => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  const [ownBefore, serverBefore, startMs] = [process.cpuUsage(), cpuOf(), performance.now()];
  let done = 0;
  while (done < made.length && performance.now() - startMs < runMs) await window.append(made[done++]!);
  const seconds = (performance.now() - startMs) / 1_000;
  const own = process.cpuUsage(ownBefore);
  const messages = done * size;
  return {
    messagesPerSecond: Math.round(messages / seconds),
    ownCpuUsPerMessage: round((own.user + own.system) / messages),
    serverCpuUsPerMessage: round(((cpuOf() - serverBefore) * 1e6) / messages),
  };
}

async function measurePages(window: HotWindow) {
  const startMs = performance.now();
  let messages = 0;
  for (let i = 0; i < readCount; i++) {
    const runs = await window.readRange(
      conversationOf(256 * conversations + (i % conversations)),
      1,
      newest,
      pageBounds,
    );
    for (const { count } of runs) messages += count;
  }
  return { pageMs: round((performance.now() - startMs) / readCount), messagesPerPage: messages / readCount };
}

async function measure(window: HotWindow, pids: readonly number[]) {
  const figures: Record<string, Record<string, number>> = {};
  for (const size of batches) figures[`batches of ${size}`] = await measureAppends(window, pids, size);
  figures["newest 50"] = await measurePages(window);
  return figures;
}

async function measureRedis(nodes: number) {
  const servers = await startRedis({ nodes });
  const window = createRedisHotWindow({ addresses: servers.addresses, timeoutMs: 10_000 });
  try {
    const answers = (): Promise<boolean> =>
      window.readRange(conversationOf(1), 1, 1, pageBounds).then(
        () => true,
        () => false,
      );
    while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 20));
    return await measure(
      window,
      servers.nodes.map(({ pid }) => pid),
    );
  } finally {
    await window.close();
    await servers.close();
  }
}

const figures = {
  memory: await measure(createMemoryHotWindow(), []),
  redis: await measureRedis(1),
  cluster: await measureRedis(clusterNodes),
};
if (process.argv.includes("--json")) console.log(JSON.stringify({ scenario: "hot-window", ...figures }));
else for (const [name, table] of Object.entries(figures)) console.log(name, table);
