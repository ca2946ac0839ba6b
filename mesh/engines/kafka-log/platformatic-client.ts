import { Admin, type BaseOptions, ConfigResourceTypes, findErrorBy, Producer, produceV9 } from "@platformatic/kafka";
import { limits } from "../../limits.ts";
import type { KafkaClient, NewTopic, PartitionEnds, ProduceBatch, Produced, TopicEnds } from "./kafka-client.ts";
import type { KafkaLogOptions } from "./kafka-log-options.ts";
import { createPlatformaticMember } from "./platformatic-member.ts";
import { sleep } from "./sleep.ts";

const earliest = -2n;
const latest = -1n;
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const baseOptions = ({ brokers, sasl, ca }: KafkaLogOptions): BaseOptions => ({
  clientId: "chappe",
  bootstrapBrokers: [...brokers],
  connectTimeout: limits.kafkaConnectTimeoutMs,
  requestTimeout: limits.kafkaRequestTimeoutMs,
  timeout: limits.kafkaProduceTimeoutMs,
  retries: limits.maxKafkaRetries,
  retryDelay: limits.kafkaRetryMs,
  strict: false,
  ...(sasl && { sasl: { ...sasl } }),
  ...(ca !== undefined && { tls: { ca: [ca] } }),
});

/** One attempt: the library's own send repeats, and does not tell when the log took the records. */
async function produceOnce(producer: Producer, batches: readonly ProduceBatch[]): Promise<readonly Produced[]> {
  const topics = [...new Set(batches.map(({ topic }) => topic))];
  const metadata = await producer.metadata({ topics, retries: 0 });
  const byLeader = new Map<number, ProduceBatch[]>();
  for (const batch of batches) {
    const leader = metadata.topics.get(batch.topic)?.partitions[batch.partition]?.leader ?? -1;
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), batch]);
  }
  const connections = await producer.connectToBrokers([...byLeader.keys()]);
  const answers = [...byLeader].map(async ([leader, some]) => {
    const messages = some.flatMap(({ topic, partition, records }) =>
      records.map((record) => ({ topic, partition, value: asBuffer(record) })),
    );
    const connection = connections.get(leader);
    if (connection === undefined) throw new Error(`broker ${leader} cannot be reached`);
    const answer = await produceV9.api.async(connection, -1, limits.kafkaProduceTimeoutMs, messages, {});
    return typeof answer === "boolean" ? [] : answer.responses;
  });
  // All of them: what one broker has taken is sent again otherwise, but not before the others are done with theirs.
  const settled = await Promise.allSettled(answers);
  return settled.flatMap((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value.flatMap(({ name: topic, partitionResponses }) =>
      partitionResponses.map(({ index: partition, baseOffset, logAppendTimeMs }) => {
        return { topic, partition, baseOffset: Number(baseOffset), timeMs: Number(logAppendTimeMs) };
      }),
    );
  });
}

async function produce(producer: Producer, batches: readonly ProduceBatch[]): Promise<readonly Produced[]> {
  try {
    return await produceOnce(producer, batches);
  } catch (error) {
    // Leaders may have moved.
    producer.clearMetadata();
    throw error;
  }
}

const isNotKnownYet = (error: Error): boolean =>
  error.message.startsWith("Unknown topic") || findErrorBy(error, "hasStaleMetadata", true) !== null;

async function partitionCount(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true, retries: 0 });
    const partitions = topics.get(topic)?.partitions ?? [];
    return partitions.length > 0 && partitions.every((one) => (one?.leader ?? -1) >= 0) ? partitions.length : undefined;
  } catch (error) {
    if (!isNotKnownYet(error as Error)) throw error;
    return undefined;
  }
}

/** Topics of one kind at a time: the library has the same settings for all topics of a call. */
async function createTopic(admin: Admin, { name, partitions, copies, configs }: NewTopic): Promise<void> {
  const rows = Object.entries(configs).map(([key, value]) => ({ name: key, value }));
  try {
    await admin.createTopics({ topics: [name], partitions, replicas: copies, configs: rows });
  } catch (error) {
    if (findErrorBy(error as Error, "apiId", "TOPIC_ALREADY_EXISTS") === null) throw error;
  }
}

async function askEnds(admin: Admin, topic: string, partitions: number): Promise<TopicEnds> {
  const ask = async (timestamp: bigint): Promise<ReadonlyMap<number, number>> => {
    const rows = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions: rows }] });
    return new Map(found?.partitions.map(({ partitionIndex, offset }) => [partitionIndex, Number(offset)]));
  };
  const [low, high] = [await ask(earliest), await ask(latest)];
  return new Map([...high].map(([one, end]): [number, PartitionEnds] => [one, { low: low.get(one) ?? 0, high: end }]));
}

/** Asks again while leaders move. */
async function readEnds(admin: Admin, topic: string, partitions: number): Promise<TopicEnds> {
  for (let left: number = limits.maxKafkaRetries; ; left--) {
    try {
      return await askEnds(admin, topic, partitions);
    } catch (error) {
      if (left === 0) throw error;
      admin.clearMetadata();
      await sleep(limits.kafkaRetryMaxMs / (left + 1));
    }
  }
}

async function readCommitted(admin: Admin, groupId: string, topic: string) {
  const [group] = await admin.listConsumerGroupOffsets({ groups: [groupId] });
  const rows = group?.topics.find(({ name }) => name === topic)?.partitions ?? [];
  const known = rows.filter(({ committedOffset }) => committedOffset >= 0n);
  return new Map(known.map(({ partitionIndex, committedOffset }) => [partitionIndex, Number(committedOffset)]));
}

/** KafkaClient on @platformatic/kafka. Its idempotent mode and its streams are not used. */
export function createPlatformaticClient(options: KafkaLogOptions): KafkaClient {
  const base = baseOptions(options);
  const admin = new Admin(base);
  const producer = new Producer(base);
  return {
    async connect() {
      await admin.metadata({ topics: [] });
    },
    brokerCount: async () => (await admin.metadata({ topics: [], forceUpdate: true })).brokers.size,
    topicNames: async () => new Set(await admin.listTopics()),
    async createTopics(topics) {
      for (const topic of topics) await createTopic(admin, topic);
    },
    partitionCount: (topic) => partitionCount(admin, topic),
    async topicConfig(topic, name) {
      const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: [name] };
      const [found] = await admin.describeConfigs({ resources: [resource] });
      return found?.configs.find((config) => config.name === name)?.value ?? undefined;
    },
    produce: (batches) => produce(producer, batches),
    ends: (topic) => readEnds(admin, topic, options.partitions),
    committed: (groupId, topic) => readCommitted(admin, groupId, topic),
    createMember: (groupId, topic, _partitions, events) => createPlatformaticMember({ base, groupId, topic, events }),
    async close() {
      await Promise.allSettled([producer.close(), admin.close()]);
    },
  };
}
