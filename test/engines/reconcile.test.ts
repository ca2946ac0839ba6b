import { conversationOf } from "@chappe/bench/support/store-kit.ts";
import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { type RedisServers, startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { createMemoryHotWindow } from "@chappe/mesh/engines/memory-hot-window/memory-hot-window.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { type ReconcileResult, reconcile } from "@chappe/services/reconcile/reconcile.ts";
import { startReconcileJob } from "@chappe/services/reconcile/start-reconcile-job.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { tempDirectory } from "./log-kit.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";
import { bodyOf, createMapHistory, fill, messagesOf, type PlantedMessage, runsOf } from "./reconcile-kit.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

interface Tiers {
  readonly log: Log;
  readonly store: MessageStore;
  readonly window: HotWindow;
}

let kafka: KafkaCluster;
let kit: MysqlKit;
let redis: RedisServers;
let names = 0;
beforeAll(async () => {
  [kafka, kit, redis] = await Promise.all([startKafka(), startMysqlKit(), startRedis({ nodes: 1 })]);
});
afterAll(async () => {
  for (const engine of [kafka, kit, redis]) await engine?.close();
});

async function openEmbedded(): Promise<Tiers & { destroy(): Promise<void> }> {
  const directory = await tempDirectory();
  const log = await createEmbeddedLog({ directory: `${directory.path}/log`, partitions: 2 });
  const store = await createSqliteMessageStore({ directory: directory.path });
  return { log, store, window: createMemoryHotWindow(), destroy: () => directory.remove() };
}

async function openReal(): Promise<Tiers & { destroy(): Promise<void> }> {
  const options = await kit.createDatabase();
  const prefix = `reconcile-${++names}`;
  const log = await createKafkaLog({ brokers: kafka.addresses, partitions: 2, prefix });
  const store = await createMysqlMessageStore(options);
  const window = createRedisHotWindow({ addresses: redis.addresses });
  return { log, store, window, destroy: () => kit.dropDatabase(options) };
}

const changed = (messages: readonly PlantedMessage[], seq: number): PlantedMessage[] =>
  messages.map((message) => (message.seq === seq ? { ...message, body: bodyOf("another") } : message));
const without = (messages: readonly PlantedMessage[], seq: number): PlantedMessage[] =>
  messages.filter((message) => message.seq !== seq);

/** What is wrong, as "tier+tier seq what". */
const found = ({ incidents }: ReconcileResult): string[] =>
  incidents.flatMap(({ differences }) =>
    differences.map(({ tiers, seq, what }) => `${tiers.join("+")} ${seq} ${what}`),
  );

describe.each([
  ["journal, SQLite and memory", openEmbedded],
  ["Kafka, MariaDB and Redis", openReal],
])("reconcile over %s", (_name, open) => {
  let tiers: Awaited<ReturnType<typeof open>>;
  let history: MessageHistory | undefined;
  /** The Redis is one for all tests, so each has conversations of its own. */
  let one = 0;
  let errors: { event: string; fields: unknown }[];
  const count = 8;
  const messages = messagesOf(count);
  beforeEach(async () => {
    tiers = await open();
    history = undefined;
    names += 2;
    one = names;
    errors = [];
  });
  afterEach(async () => {
    for (const tier of [tiers.log, tiers.store, tiers.window]) await tier.close();
    await tiers.destroy();
  });

  const logger: Logger = { ...silentLogger, error: (event, fields) => void errors.push({ event, fields }) };
  const run = (): Promise<ReconcileResult> => reconcile({ ...tiers, history, logger, sample: 5 });

  test("finds nothing where all tiers agree, whatever part each of them holds", async () => {
    history = createMapHistory();
    await fill(tiers, one, messages, messages.slice(3));
    await history.put(runsOf(one, messages.slice(0, 5)));
    await tiers.window.append(runsOf(one, messages.slice(5)));
    const other = messagesOf(3);
    await fill(tiers, one + 1, other, other);
    await history.put(runsOf(one + 1, other.slice(0, 1)));
    const result = await run();
    expect(result).toEqual({
      conversations: 2,
      messages: { log: 11, store: 8, window: 3, history: 6 },
      incidents: [],
    });
    expect(errors).toEqual([]);
  });

  test("names the conversation and the tiers when a message is missing from the store", async () => {
    await fill(tiers, one, messages, without(messages, 4));
    const result = await run();
    expect(found(result)).toEqual(["store+log 4 missing"]);
    const conversation = Buffer.from(conversationOf(one)).toString("hex");
    expect(result.incidents).toMatchObject([
      { conversation, tiers: ["store", "log"], summaries: { log: { count: 8 }, store: { count: 7, maxSeq: 8 } } },
    ]);
    const [{ log, store }] = result.incidents.map(({ summaries }) => summaries) as [Record<string, { digest: string }>];
    expect(log!.digest).not.toBe(store!.digest);
    expect(errors).toMatchObject([
      { event: "reconcile.difference", fields: { conversation, tiers: ["store", "log"] } },
    ]);
  });

  test("finds another message in the store than on the log", async () => {
    await fill(tiers, one, messages, changed(messages, 5));
    expect(found(await run())).toEqual(["log+store 5 different"]);
  });

  test("finds a message on the log that was never settled", async () => {
    await fill(tiers, one, messages, messages.slice(0, -1), messages.slice(0, -1));
    expect(found(await run())).toEqual(["store+log 0 missing"]);
  });

  test("a placeholder for a body that cannot be read is no difference; one for another message is", async () => {
    const placeholder = messages.map((message) => (message.seq === 5 ? { ...message, body: undefined } : message));
    await fill(tiers, one, messages, placeholder);
    expect(found(await run())).toEqual([]);
  });

  test("finds another message in the window", async () => {
    await fill(tiers, one, messages, messages);
    await tiers.window.append(runsOf(one, changed(messages, 7)));
    const result = await run();
    expect(found(result)).toEqual(["window+store 7 different"]);
    expect(result.incidents[0]!.tiers).toEqual(["window", "store"]);
  });

  test("finds another message, and a missing one, in history", async () => {
    history = createMapHistory();
    await fill(tiers, one, messages, messages.slice(4));
    await history.put(runsOf(one, without(changed(messages.slice(0, 6), 6), 2)));
    expect(found(await run()).sort()).toEqual(
      ["history 2 missing", "history+store 2 missing", "history+store 6 different", "log+history 6 different"].sort(),
    );
  });

  test("as a job: counts what it has found", async () => {
    await fill(tiers, one, messages, without(messages, 4));
    const job = startReconcileJob({ ...tiers, logger, intervalMs: 10 });
    await vi.waitFor(() => expect(job.stats().incidents).toBeGreaterThan(0), { timeout: 20_000 });
    await job.close();
    expect(job.stats()).toMatchObject({ failures: 0 });
    expect(errors.length).toBe(job.stats().incidents);
  });
});
