import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { type KafkaCluster, startKafka } from "@chappe/mesh/dev-engines/start-kafka.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { kafkaClientNames } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import kafkajs from "kafkajs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { appendTexts, numbered, payloadOf, readAll, TestConsumer } from "./log-kit.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const partitions = 4;
const takeoverMs = 12_000;
let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka();
});
afterAll(() => kafka?.close());

describe.each(kafkaClientNames)("the log on Kafka by %s", (client) => {
  const named = (name: string): string => `${name}-${client}`;
  const open = (name: string): Promise<Log> =>
    createKafkaLog({ brokers: kafka.addresses, partitions, prefix: named(name), client });

  test("topics with another number of partitions are refused, with what to do", async () => {
    await (await open("count")).close();
    const refused = createKafkaLog({
      brokers: kafka.addresses,
      partitions: partitions + 1,
      prefix: named("count"),
      client,
    });
    await expect(refused).rejects.toMatchObject({ row: { name: "INVALID_ARGUMENT" } });
    await expect(refused).rejects.toThrow(/count-.*\.messages has 4 partitions.*correct the setting/);
  });

  test("an address where nobody listens is refused by name", async () => {
    const refused = createKafkaLog({ brokers: ["127.0.0.1:9"], partitions, prefix: "nobody", client });
    await expect(refused).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    await expect(refused).rejects.toThrow(/127\.0\.0\.1:9.*kafkaBrokers/);
  });

  test("a reader whose records Kafka has deleted stops, and gets nothing", async () => {
    const log = await open("guard");
    await appendTexts(log, "messages", 0, numbered("a", 10));
    const admin = new kafkajs.Kafka({ brokers: [...kafka.addresses], logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    // Deleting needs the topic's leaders, which the client learns only by another question.
    await admin.fetchTopicOffsets(`${named("guard")}.messages`);
    await admin.deleteTopicRecords({
      topic: `${named("guard")}.messages`,
      partitions: [{ partition: 0, offset: "5" }],
    });
    await admin.disconnect();
    const consumer = new TestConsumer();
    consumer.starts = new Map([[0, 3]]);
    await expect(log.subscribe("messages", "late", consumer)).rejects.toMatchObject({ row: { name: "CORRUPT" } });
    expect(consumer.count).toBe(0);
    await log.close();
  });

  test("kill -9 of the broker in the middle of appends: all that was acknowledged is there, in its place", async () => {
    const log = await open("kill");
    const acknowledged: { offset: number; text: string; after: number }[] = [];
    let [sent, highest, stop] = [0, -1, false];
    const sender = async (): Promise<void> => {
      while (!stop) {
        const [text, after] = [`m${sent++}`, highest];
        // One that ended without an answer may be on the log; only acknowledged ones are promised.
        const appended = await log.append("messages", 0, payloadOf(text)).catch(() => undefined);
        if (appended === undefined) continue;
        acknowledged.push({ offset: appended.offset, text, after });
        highest = Math.max(highest, appended.offset);
      }
    };
    const senders = Array.from({ length: 8 }, sender);
    const reached = async (count: number): Promise<void> => {
      while (acknowledged.length < count) await pause(5);
    };
    await reached(300);
    await kafka.brokers[0]!.kill();
    const before = acknowledged.length;
    await kafka.brokers[0]!.restart();
    await reached(before + 300);
    stop = true;
    await Promise.all(senders);
    const stored = (await readAll(log, "messages")).texts(0);
    expect(acknowledged.filter(({ offset, text }) => stored[offset] !== text)).toEqual([]);
    // Acknowledged before it was sent means before it on the log, wherever its first copy is.
    const firstAt = new Map(stored.map((text, at) => [text, at] as const).reverse());
    expect(acknowledged.filter(({ text, after }) => firstAt.get(text)! <= after)).toEqual([]);
    await log.close();
  });

  test("the partitions of a member that is killed go to the other one in time", async () => {
    const log = await open("takeover");
    const survivor = new TestConsumer();
    await log.subscribe("messages", "takeover", survivor);
    await survivor.until(() => survivor.owned.size === partitions);
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "kafka-log-child.ts"), kafka.addresses[0]!, named("takeover"), client],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const closed = once(child, "close");
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
      expect(line).toBe("owns 2");
      await survivor.until(() => survivor.owned.size === 2);
    } finally {
      child.kill("SIGKILL");
    }
    await closed;
    const killedMs = performance.now();
    await survivor.until(() => survivor.owned.size === partitions);
    const tookMs = Math.round(performance.now() - killedMs);
    console.log(`${client}: takeover after kill -9: ${tookMs} ms`);
    expect(tookMs).toBeLessThan(takeoverMs);
    await log.close();
  });
});
