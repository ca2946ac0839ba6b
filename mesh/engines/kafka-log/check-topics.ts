import { type Admin, ConfigResourceTypes } from "kafkajs";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import { kafkaErrorType } from "./kafka-client.ts";

/** What the topics of a log must be like. */
export interface TopicDemands {
  readonly partitions: number;
  /** Records are kept at least so long, in milliseconds. */
  readonly retentionMs: number;
  /** Copies of a topic that is made here. @default 3, or as many as there are brokers */
  readonly replicationFactor?: number;
}

/** Copies that survive the loss of a room while another is down for work. */
const wantedCopies = 3;
const wantedInSync = 2;

function refuse(field: string, message: string): ChappeError {
  return new ChappeError("INVALID_ARGUMENT", message, { violations: [{ field, rule: "kafka_topic", message }] });
}

const maxMessageBytes = limits.maxRecordBytes + limits.kafkaBatchOverheadBytes;

async function create(admin: Admin, names: readonly string[], demands: TopicDemands): Promise<void> {
  const { brokers } = await admin.describeCluster();
  const copies = demands.replicationFactor ?? Math.min(wantedCopies, brokers.length);
  const settings: Record<string, string> = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "retention.ms": String(demands.retentionMs),
    "retention.bytes": "-1",
    "max.message.bytes": String(maxMessageBytes),
    "min.insync.replicas": String(Math.min(wantedInSync, Math.max(1, copies - 1))),
    "unclean.leader.election.enable": "false",
  };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  const topics = names.map((topic) => ({
    topic,
    numPartitions: demands.partitions,
    replicationFactor: copies,
    configEntries,
  }));
  try {
    await admin.createTopics({ topics, waitForLeaders: true });
  } catch (error) {
    // Another process was faster; the check that follows holds for its topics too.
    const errors = (error as { errors?: readonly unknown[] }).errors ?? [error];
    if (!errors.every((each) => kafkaErrorType(each) === "TOPIC_ALREADY_EXISTS")) throw error;
  }
}

function checkSettings(topic: string, settings: ReadonlyMap<string, string>, copies: number, retentionMs: number): void {
  const demand = (name: string, holds: (value: string) => boolean, wanted: string): void => {
    const value = settings.get(name) ?? "";
    if (holds(value)) return;
    throw refuse(name, `Kafka topic ${topic} has ${name}=${value}: set it to ${wanted} with kafka-configs, then start again`);
  };
  const lasting = (value: string): boolean => Number(value) === -1 || Number(value) >= retentionMs;
  demand("message.timestamp.type", (value) => value === "LogAppendTime", "LogAppendTime");
  demand("cleanup.policy", (value) => value === "delete", "delete (compaction makes holes)");
  demand("retention.ms", lasting, `${retentionMs} or more`);
  demand("retention.bytes", (value) => value === "-1", "-1 (records leave by age alone)");
  demand("max.message.bytes", (value) => Number(value) >= maxMessageBytes, `${maxMessageBytes} or more`);
  demand("unclean.leader.election.enable", (value) => value === "false", "false");
  const inSync = Math.min(wantedInSync, Math.max(1, copies - 1));
  demand("min.insync.replicas", (value) => Number(value) >= inSync, `${inSync} or more`);
}

/**
 * Makes the topics that are missing and checks all of them. INVALID_ARGUMENT names the topic, what is wrong with it and
 * what to do; answers the leader of each partition, by topic.
 */
export async function checkTopics(
  admin: Admin,
  names: readonly string[],
  demands: TopicDemands,
): Promise<Map<string, Map<number, number>>> {
  const there = new Set(await admin.listTopics());
  const missing = names.filter((name) => !there.has(name));
  if (missing.length > 0) await create(admin, missing, demands);
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
  for (const { name, partitions } of topics) {
    if (partitions.length === demands.partitions) continue;
    const message =
      `Kafka topic ${name} has ${partitions.length} partitions, the log is configured with ${demands.partitions}: ` +
      `the number is fixed for life, so configure ${partitions.length}, or name another topic prefix`;
    throw refuse("partitions", message);
  }
  const resources = names.map((name) => ({ type: ConfigResourceTypes.TOPIC, name }));
  const described = await admin.describeConfigs({ resources, includeSynonyms: false });
  for (const { resourceName, configEntries } of described.resources) {
    const settings = new Map(configEntries.map(({ configName, configValue }) => [configName, configValue]));
    const copies = topics.find(({ name }) => name === resourceName)?.partitions[0]?.replicas.length ?? 1;
    checkSettings(resourceName, settings, copies, demands.retentionMs);
  }
  return new Map(topics.map(({ name, partitions }) => [name, leadersOf(partitions)]));
}

/** Leader by partition. */
export const leadersOf = (
  partitions: readonly { readonly partitionId: number; readonly leader: number }[],
): Map<number, number> => new Map(partitions.map(({ partitionId, leader }) => [partitionId, leader]));
