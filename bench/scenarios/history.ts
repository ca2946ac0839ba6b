import { startHbase } from "@chappe/mesh/dev-engines/start-hbase.ts";
import { startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { createHbaseHistory } from "@chappe/mesh/engines/hbase-history/create-hbase-history.ts";
import { historyTable } from "@chappe/mesh/engines/hbase-history/history-table.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { createTieredReads, type TieredReads } from "@chappe/services/msg-reader/tiered-reads.ts";
import { LatencyHistogram } from "../support/latency-histogram.ts";
import { Committing, conversationOf, runOf, seqsOf } from "../support/store-kit.ts";
import { type BenchFigures, type BenchOptions, rounded } from "./bench-options.ts";

const defaultMessages = 50_000;
const defaultConversations = 20_000;
const contentBytes = 100;
const runMessages = 200;
const runsPerCommit = 500;
const runsPerPut = 20;
const pages = 500;
const bounds = { maxMessages: limits.defaultPageMessages, maxBytes: limits.maxPageBytes };
/** The conversation with many messages; the others follow it. */
const large = 1;

/** The three tiers on engines of our own. */
interface World {
  readonly store: MessageStore;
  readonly window: HotWindow;
  readonly history: MessageHistory;
  close(): Promise<void>;
}

async function openWorld(): Promise<World> {
  const table = "bench";
  const engines = await Promise.all([
    startHbase({ tables: [historyTable(table, 8)] }),
    startMariadb(),
    startRedis({ nodes: 1 }),
  ]);
  const [hbase, mariadb, redis] = engines;
  await migrate(mariadb.login);
  const store = await createMysqlMessageStore(mariadb.login);
  const window = createRedisHotWindow({ addresses: redis.addresses });
  const history = createHbaseHistory({ zookeeper: [hbase.zookeeper], table });
  const close = async (): Promise<void> => {
    for (const part of [history, window, store, ...engines]) await part.close();
  };
  return { store, window, history, close };
}

function* runsOf(fromSeq: number, toSeq: number): Generator<MessageRun> {
  for (let seq = fromSeq; seq <= toSeq; seq += runMessages)
    yield runOf(large, seq, Math.min(runMessages, toSeq - seq + 1), contentBytes);
}

function* inParts<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let part: T[] = [];
  for (const item of items) {
    part.push(item);
    if (part.length === size) {
      yield part;
      part = [];
    }
  }
  if (part.length > 0) yield part;
}

/** What the tiers hold of the large conversation: history up to `archived`, the store what follows, the window the end. */
interface Fed {
  readonly archived: number;
  readonly windowFrom: number;
}

async function feed({ store, window, history }: World, messages: number, conversations: number): Promise<Fed> {
  const archived = Math.floor(messages / 2);
  const windowFrom = messages - Math.min(limits.hotWindowMessages, messages - archived) + 1;
  for (const runs of inParts(runsOf(1, archived), runsPerPut)) await history.put(runs);
  const writer = new Committing(store);
  await writer.claim();
  for (const runs of inParts(runsOf(archived + 1, messages), runsPerPut)) await writer.commit(runs);
  const single = Array.from({ length: conversations }, (_, i) => large + 1 + i).values();
  for (const ids of inParts(single, runsPerCommit)) await writer.commit(ids.map((id) => runOf(id, 1, 1, contentBytes)));
  await window.append([...runsOf(windowFrom, messages)]);
  return { archived, windowFrom };
}

/** Reads pages at random places of [from, to]; milliseconds. */
async function timePages(from: number, to: number, read: (fromSeq: number) => Promise<readonly MessageRun[]>) {
  const times = new LatencyHistogram();
  for (let i = 0; i < pages; i++) {
    const startMs = performance.now();
    const runs = await read(from + Math.floor(Math.random() * Math.max(1, to - from + 1)));
    times.record(performance.now() - startMs);
    if (runs.length === 0) throw new Error("a page is empty");
  }
  return { p50Ms: rounded(times.quantileMs(0.5)), p99Ms: rounded(times.quantileMs(0.99)) };
}

/** A new device reads everything, oldest first. Rejects unless it gets each message once. */
async function roam(reads: TieredReads, messages: number): Promise<number> {
  const startMs = performance.now();
  const page = { maxMessages: limits.maxPageMessages, maxBytes: limits.maxPageBytes };
  let next = 1;
  while (next <= messages) {
    const runs = await reads.readRange({
      conversationId: conversationOf(large),
      fromSeq: next,
      toSeq: messages,
      ...page,
    });
    for (const seq of seqsOf(runs)) if (seq !== next++) throw new Error(`${seq} came instead of ${next - 1}`);
  }
  return (performance.now() - startMs) / 1_000;
}

/**
 * One conversation with many messages over HBase, MariaDB and Redis, and many with one each: pages of 50 from each tier
 * (500 at random places), and a new device that reads the large one from the first message on.
 */
export async function benchHistory(options: BenchOptions): Promise<BenchFigures> {
  const { messages = defaultMessages, conversations = defaultConversations } = options;
  const world = await openWorld();
  try {
    const fedMs = performance.now();
    const { archived, windowFrom } = await feed(world, messages, conversations);
    const feedSeconds = (performance.now() - fedMs) / 1_000;
    const reads = createTieredReads(world);
    const page = (conversation: number, fromSeq: number, toSeq: number) =>
      reads.readRange({ conversationId: conversationOf(conversation), fromSeq, toSeq, ...bounds });
    const last = bounds.maxMessages - 1;
    const history = {
      messages,
      conversations,
      feedSeconds: rounded(feedSeconds),
      hbase: await timePages(1, archived - last, (seq) => page(large, seq, seq + last)),
      mariadb: await timePages(archived + 1, windowFrom - 1 - last, (seq) => page(large, seq, seq + last)),
      redis: await timePages(windowFrom, messages - last, (seq) => page(large, seq, seq + last)),
      anyConversation: await timePages(large + 1, large + conversations, (id) => page(id, 1, 1)),
    };
    const roamSeconds = await roam(reads, messages);
    const { windowMessages, storeMessages, historyMessages } = reads.stats();
    return {
      scenario: "history",
      history: {
        ...history,
        roamSeconds: rounded(roamSeconds),
        roamMsgsPerSecond: rounded(messages / roamSeconds),
        read: { redis: windowMessages, mariadb: storeMessages, hbase: historyMessages },
      },
    };
  } finally {
    await world.close();
  }
}
