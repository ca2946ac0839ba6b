import kafkajs, { type Admin, type ITopicConfig, type Message, type Producer, type SASLOptions } from "kafkajs";
import { limits } from "../../limits.ts";
import type { KafkaClient, NewTopic, ProduceBatch, Produced } from "./kafka-client.ts";
import type { KafkaLogOptions, KafkaSasl } from "./kafka-log-options.ts";
import { createKafkajsMember } from "./kafkajs-member.ts";
import { createTopicOffsets } from "./topic-offsets.ts";

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const mechanisms = { PLAIN: "plain", "SCRAM-SHA-256": "scram-sha-256", "SCRAM-SHA-512": "scram-sha-512" } as const;

const toSasl = ({ mechanism, username, password }: KafkaSasl): SASLOptions =>
  ({ mechanism: mechanisms[mechanism], username, password }) as SASLOptions;

/** A client that writes nothing to the console: warnings and errors go to `report`. */
function openKafkajs({ brokers, sasl, ca, report = () => {} }: KafkaLogOptions) {
  return new kafkajs.Kafka({
    clientId: "chappe",
    brokers: [...brokers],
    ...(sasl && { sasl: toSasl(sasl) }),
    ...(ca !== undefined && { ssl: { ca: [ca] } }),
    connectionTimeout: limits.kafkaConnectTimeoutMs,
    requestTimeout: limits.kafkaRequestTimeoutMs,
    retry: {
      retries: limits.maxKafkaRetries,
      initialRetryTime: limits.kafkaRetryMs,
      maxRetryTime: limits.kafkaRetryMaxMs,
    },
    logLevel: kafkajs.logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log: { message } }) =>
        report("client", { namespace, message }),
  });
}

async function partitionCount(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    const isLed = partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
    return isLed ? partitions.length : undefined;
  } catch (error) {
    if ((error as { retriable?: boolean }).retriable !== true) throw error;
    return undefined;
  }
}

async function topicConfig(admin: Admin, topic: string, name: string): Promise<string | undefined> {
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [name] };
  const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
  return resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue;
}

const toTopic = ({ name, partitions, copies, configs }: NewTopic): ITopicConfig => ({
  topic: name,
  numPartitions: partitions,
  replicationFactor: copies,
  configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
});

async function produce(producer: Producer, batches: readonly ProduceBatch[]): Promise<readonly Produced[]> {
  const byTopic = new Map<string, Message[]>();
  for (const { topic, partition, records } of batches) {
    const messages = byTopic.get(topic) ?? [];
    byTopic.set(topic, messages);
    for (const record of records) messages.push({ partition, value: asBuffer(record) });
  }
  const topicMessages = [...byTopic].map(([topic, messages]) => ({ topic, messages }));
  const answers = await producer.sendBatch({ acks: -1, timeout: limits.kafkaProduceTimeoutMs, topicMessages });
  return answers.flatMap(({ topicName: topic, partition, baseOffset, logAppendTime }) =>
    baseOffset === undefined
      ? []
      : [{ topic, partition, baseOffset: Number(baseOffset), timeMs: Number(logAppendTime) }],
  );
}

/** KafkaClient on kafkajs. */
export function createKafkajsClient(options: KafkaLogOptions): KafkaClient {
  const kafka = openKafkajs(options);
  const admin = kafka.admin();
  // One of its own: asking for ends may have to connect anew.
  const offsetsAdmin = kafka.admin();
  const offsets = createTopicOffsets(offsetsAdmin);
  // Batches are repeated by the lanes, which know how long an append may take. It is not idempotent, since kafkajs takes
  // new sequence numbers after a timeout.
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    idempotent: false,
    retry: { retries: 0 },
    // Every record names its partition; kafkajs warns unless one partitioner is chosen.
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  const parts = [producer, offsetsAdmin, admin];
  return {
    async connect() {
      for (const part of [admin, offsetsAdmin, producer]) await part.connect();
    },
    brokerCount: async () => (await admin.describeCluster()).brokers.length,
    topicNames: async () => new Set(await admin.listTopics()),
    async createTopics(topics) {
      // Its own wait for leaders gives up when the broker that it asks does not know all of the topics yet.
      await admin.createTopics({ topics: topics.map(toTopic), waitForLeaders: false });
    },
    partitionCount: (topic) => partitionCount(admin, topic),
    topicConfig: (topic, name) => topicConfig(admin, topic, name),
    produce: (batches) => produce(producer, batches),
    ends: (topic) => offsets.read(topic),
    async committed(groupId, topic) {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      const rows = found?.partitions.filter(({ offset }) => Number(offset) >= 0) ?? [];
      return new Map(rows.map(({ partition, offset }) => [partition, Number(offset)]));
    },
    createMember: (groupId, topic, partitions, events) =>
      createKafkajsMember(kafka, { groupId, topic, partitions, events }),
    async close() {
      await Promise.allSettled(parts.map((part) => part.disconnect()));
    },
  };
}
