import kafkajs, { type Admin } from "kafkajs";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Topic } from "../../ports/log.ts";
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
async function createMissing(admin: Admin, options: KafkaLogOptions): Promise<void> {
  const { brokers } = await admin.describeCluster();
  const copies = options.replicas ?? (brokers.length >= wantedCopies ? wantedCopies : 1);
  const configs = {
    [timestampType]: "LogAppendTime",
    "cleanup.policy": "delete",
    "retention.ms": String(options.retentionMs ?? limits.kafkaRetentionMs),
    "min.insync.replicas": String(copies >= wantedCopies ? copies - 1 : 1),
    "max.message.bytes": String(limits.maxRecordBytes + overheadBytes),
  };
  const there = new Set(await admin.listTopics());
  const missing = topics.map((topic) => topicName(topic, options)).filter((name) => !there.has(name));
  if (missing.length === 0) return;
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
  const common = { numPartitions: options.partitions, replicationFactor: copies };
  // Kafka deletes whole segments, and never the one that it writes to.
  const bounds = { "retention.bytes": limits.kafkaDeadLetterBytes, "segment.bytes": limits.kafkaDeadLetterBytes / 4 };
  const bounded = [...configEntries, ...Object.entries(bounds).map(([name, n]) => ({ name, value: String(n) }))];
  const dead = topicName("dead-letter", options);
  const wanted = missing.map((topic) => ({
    topic,
    ...common,
    configEntries: topic === dead ? bounded : configEntries,
  }));
  // Its own wait for leaders gives up when the broker that it asks does not know all of the topics yet.
  await admin.createTopics({ topics: wanted, waitForLeaders: false });
}

/** Number of partitions of a topic, once each is served by its leader: a new topic is not known to every broker at once. */
async function countPartitions(admin: Admin, name: string): Promise<number> {
  const untilMs = Date.now() + limits.kafkaTopicWaitMs;
  for (;;) {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: [name] });
      const partitions = found[0]?.partitions ?? [];
      const isLed = partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
      // Who is named as the leader may not serve the partition yet: the first produce would fail half way and be repeated.
      if (isLed) await admin.fetchTopicOffsets(name);
      if (isLed || Date.now() > untilMs) return partitions.length;
    } catch (error) {
      if (!(error as { retriable?: boolean }).retriable || Date.now() > untilMs) throw error;
    }
    await sleep(limits.kafkaRetryMs);
  }
}

async function checkTopic(admin: Admin, name: string, partitions: number): Promise<void> {
  const count = await countPartitions(admin, name);
  if (count !== partitions)
    refuse(
      `topic ${name} has ${count} partitions, the settings say ${partitions}: the number is fixed for the life of the data, so correct the setting`,
    );
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name, configNames: [timestampType] };
  const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
  const value = resources[0]?.configEntries.find(({ configName }) => configName === timestampType)?.configValue;
  if (value !== "LogAppendTime") refuse(`topic ${name} has ${timestampType}=${value}, it must be LogAppendTime`);
}

/** Makes the topics where they are missing, and refuses those that another setting made: INVALID_ARGUMENT. */
export async function ensureTopics(admin: Admin, options: KafkaLogOptions): Promise<void> {
  await createMissing(admin, options);
  for (const topic of topics) await checkTopic(admin, topicName(topic, options), options.partitions);
}
