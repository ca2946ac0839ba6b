import { setTimeout as pause } from "node:timers/promises";
import { conversationOf, seqsOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { type KafkaClientName, kafkaClientNames } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";
import { textEntry } from "./poison-kit.ts";
import { type WriterEvent, WriterProcess } from "./writer-process.ts";

vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 });

const partitions = 4;
const takeoverMs = 12_000;
const loadIntervalMs = 10;
const everything = { maxMessages: 1_000_000, maxBytes: 1_000_000_000 };
const allOf = upTo(0, partitions - 1);
let kafka: KafkaCluster;
let kit: MysqlKit;
let runs = 0;
beforeAll(async () => {
  [kafka, kit] = await Promise.all([startKafka(), startMysqlKit()]);
});
afterAll(async () => {
  await kafka?.close();
  await kit?.close();
});

let log: Log;
let store: MessageStore;
let writers: WriterProcess[];
let stopLoad: () => Promise<number[]>;

/** A message to each partition in turn, conversation p + 1 on partition p; answers how many each has got at the end. */
function startLoad(): () => Promise<number[]> {
  const sent = allOf.map(() => 0);
  let stopped = false;
  const running = (async () => {
    for (let i = 0; !stopped; i++) {
      const partition = i % partitions;
      await log.append("messages", partition, encodeLogRecord([textEntry(partition + 1, `message ${i}`)]));
      sent[partition]!++;
      await pause(loadIntervalMs);
    }
  })();
  return async () => {
    stopped = true;
    await running;
    return sent;
  };
}

/** Two writers share the partitions under a steady load. */
async function startWriters(client: KafkaClientName): Promise<void> {
  const prefix = `takeover-${++runs}`;
  const mysql = await kit.createDatabase();
  log = await createKafkaLog({ brokers: kafka.addresses, partitions, prefix, client });
  store = await createMysqlMessageStore(mysql);
  stopLoad = startLoad();
  const start = () => new WriterProcess({ brokers: kafka.addresses, partitions, prefix, client, mysql });
  writers = [start()];
  await writers[0]!.until(({ owned }) => owned.length === partitions);
  writers.push(start());
  for (const writer of writers) await writer.until(({ owned }) => owned.length === partitions / 2);
}
afterEach(async () => {
  await stopLoad();
  for (const writer of writers) await writer.kill();
  await log.close();
  await store.close();
});

/** Every message of the load has one seq, with no hole, and one dedupe row. */
async function expectWhole(): Promise<void> {
  const sent = await stopLoad();
  const ends = await Promise.all(allOf.map((partition) => log.end("messages", partition)));
  await vi.waitFor(
    async () => {
      const progress = await store.progress(allOf);
      expect(allOf.map((partition) => progress.get(partition)!.nextOffset)).toEqual(ends);
    },
    { timeout: takeoverMs, interval: 100 },
  );
  for (const partition of allOf) {
    const messages = await store.readRange(conversationOf(partition + 1), 1, 1_000_000, everything);
    expect(seqsOf(messages)).toEqual(upTo(1, sent[partition]!));
  }
  let rows = 0;
  for await (const page of store.sendIdsSince(0)) rows += page.length / 16;
  expect(rows).toBe(sent.reduce((sum, count) => sum + count, 0));
}

const firstAfter = (events: readonly WriterEvent[], sinceMs: number, wanted: (event: WriterEvent) => boolean) =>
  events.find((event) => event.atMs >= sinceMs && wanted(event))?.atMs ?? Number.NaN;

describe.each(kafkaClientNames)("writers on Kafka by %s", (client) => {
  beforeEach(() => startWriters(client));

  test("kill -9 of a writer: the other one has its partitions in time, and nothing is lost or doubled", async () => {
    const [victim, heir] = writers as [WriterProcess, WriterProcess];
    const lost = victim.owned;
    const isLost = ({ partitions: some }: WriterEvent): boolean => some.some((partition) => lost.includes(partition));
    await victim.kill();
    const killedMs = Date.now();
    const commits = (event: WriterEvent): boolean => event.event === "committed" && isLost(event);
    await heir.until(({ events }) => !Number.isNaN(firstAfter(events, killedMs, commits)));
    const { events } = heir;
    const revokedMs = firstAfter(events, killedMs, ({ event }) => event === "revoked");
    const assignedMs = firstAfter(events, revokedMs, ({ event }) => event === "assigned");
    const claimedMs = firstAfter(events, assignedMs, ({ event }) => event === "claimed");
    const committedMs = firstAfter(events, claimedMs, commits);
    const split = {
      detectMs: revokedMs - killedMs,
      rebalanceMs: assignedMs - revokedMs,
      claimMs: claimedMs - assignedMs,
      firstCommitMs: committedMs - claimedMs,
      totalMs: committedMs - killedMs,
    };
    console.log(`${client}: takeover of a killed writer: ${JSON.stringify(split)}`);
    expect(split.totalMs).toBeLessThan(takeoverMs);
    await expectWhole();
  });

  test("a writer stopped in front of a commit and woken after it was given up: refused, and nothing is doubled", async () => {
    const [zombie, heir] = writers as [WriterProcess, WriterProcess];
    const lost = zombie.owned;
    await zombie.stopAtCommit();
    await heir.until(({ owned }) => owned.length === partitions);
    const takenMs = Date.now();
    await heir.until(({ events }) =>
      lost.every((one) =>
        events.some(
          ({ atMs, event, partitions: some }) => atMs > takenMs && event === "committed" && some.includes(one),
        ),
      ),
    );
    await pause(limits.kafkaHeartbeatMs);
    const before = zombie.events.length;
    zombie.wake();
    await zombie.until(({ events }) => events.slice(before).some(({ event }) => event === "refused"));
    const [first] = zombie.events.slice(before).filter(({ event }) => event === "refused" || event === "committed");
    expect(first).toMatchObject({ event: "refused", error: "STALE_OWNER" });
    expect(first!.partitions.every((partition) => lost.includes(partition))).toBe(true);
    // It is a member again: it gets partitions anew and commits what it claimed.
    for (const writer of writers) await writer.until(({ owned }) => owned.length === partitions / 2);
    await expectWhole();
  });
});
