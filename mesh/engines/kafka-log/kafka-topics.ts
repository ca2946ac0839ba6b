import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Topic } from "../../ports/log.ts";
import type { KafkaClient } from "./kafka-client.ts";
import type { KafkaLogOptions } from "./kafka-log-options.ts";
import { sleep } from "./sleep.ts";

const topics: readonly Topic[] = ["messages", "push", "changes", "dead-letter"];
const wantedCopies = 3;
/** A record of the limit, with what Kafka puts around it. */
const overheadBytes = 1_024;
const timestampType = "message.timestamp.type";

/** Name of a topic in Kafka. */
export const topicName = (topic: Topic, { prefix = "chappe" }: Pick<KafkaLogOptions, "prefix">): string =>
  `${prefix}.${topic}`;

function refuse(message: string): never {
  const violations = [{ field: "kafkaBrokers", rule: "topic", message }];
  throw new ChappeError("INVALID_ARGUMENT", message, { violations });
}

/** Makes the topics that are missing; another process may do the same at once. */
async function createMissing(client: KafkaClient, options: KafkaLogOptions): Promise<void> {
  const there = await client.topicNames();
  const missing = topics.filter((topic) => !there.has(topicName(topic, options)));
  if (missing.length === 0) return;
  const { partitions, replicas, retentionMs = limits.kafkaRetentionMs } = options;
  const copies = replicas ?? ((await client.brokerCount()) >= wantedCopies ? wantedCopies : 1);
  const configs = {
    [timestampType]: "LogAppendTime",
    "cleanup.policy": "delete",
    "retention.ms": String(retentionMs),
    "min.insync.replicas": String(copies >= wantedCopies ? copies - 1 : 1),
    "max.message.bytes": String(limits.maxRecordBytes + overheadBytes),
  };
  // Kafka deletes whole segments, and never the one that it writes to.
  const bounded = {
    ...configs,
    "retention.bytes": String(limits.kafkaDeadLetterBytes),
    "segment.bytes": String(limits.kafkaDeadLetterBytes / 4),
  };
  await client.createTopics(
    missing.map((topic) => ({
      name: topicName(topic, options),
      partitions,
      copies,
      configs: topic === "dead-letter" ? bounded : configs,
    })),
  );
}

/** Number of partitions of a topic, once each has a leader: a new topic is not known to every broker at once. */
async function countPartitions(client: KafkaClient, name: string): Promise<number> {
  const untilMs = performance.now() + limits.kafkaTopicWaitMs;
  for (;;) {
    const count = await client.partitionCount(name);
    if (count !== undefined) return count;
    if (performance.now() > untilMs) throw new Error(`topic ${name} has no leader for some partition`);
    await sleep(limits.kafkaRetryMs);
  }
}

async function checkTopic(client: KafkaClient, name: string, partitions: number): Promise<void> {
  const count = await countPartitions(client, name);
  if (count !== partitions)
    refuse(
      `topic ${name} has ${count} partitions, the settings say ${partitions}: the number is fixed for the life of the data, so correct the setting`,
    );
  // Who is named as the leader may not serve the partition yet: the first produce would fail half way and be repeated.
  await client.ends(name);
  const value = await client.topicConfig(name, timestampType);
  if (value !== "LogAppendTime") refuse(`topic ${name} has ${timestampType}=${value}, it must be LogAppendTime`);
}

/**
 * Makes the topics where they are missing, and refuses those that another setting made: INVALID_ARGUMENT. Brokers that
 * answered once are asked again when they hang up or have nobody to lead for a moment.
 */
export async function ensureTopics(client: KafkaClient, options: KafkaLogOptions): Promise<void> {
  const { report = () => {} } = options;
  for (let left: number = limits.maxKafkaRetries; ; left--) {
    try {
      await createMissing(client, options);
      for (const topic of topics) await checkTopic(client, topicName(topic, options), options.partitions);
      return;
    } catch (error) {
      if (error instanceof ChappeError || left === 0) throw error;
      report("topics-asked-again", { error });
      await sleep(limits.kafkaRetryMaxMs);
    }
  }
}
