import { setTimeout as sleep } from "node:timers/promises";
import { type Admin, Kafka, logLevel, type Producer } from "kafkajs";

const leaderTimeoutMs = 30_000;
const pollMs = 200;

/** A topic of one partition, as text values. */
export interface KafkaValues {
  /** Settles when the brokers in sync have it. */
  write(value: string): Promise<void>;
  /** All there are, in order. */
  readAll(): Promise<string[]>;
  close(): Promise<void>;
}

async function readTopic(kafka: Kafka, admin: Admin, topic: string): Promise<string[]> {
  const [offsets] = await admin.fetchTopicOffsets(topic);
  const count = Number(offsets!.high);
  const values: string[] = [];
  if (count === 0) return values;
  const consumer = kafka.consumer({ groupId: `${topic}-${crypto.randomUUID()}` });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }): Promise<void> => {
        values.push(message.value?.toString() ?? "");
        if (values.length === count) resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return values;
}

/** kafkajs waits for leaders too, but fails when the broker that it asks has not heard of the topic yet. */
async function untilLed(admin: Admin, topic: string): Promise<void> {
  const deadlineMs = performance.now() + leaderTimeoutMs;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      if (topics[0]!.partitions.some(({ leader }) => leader >= 0)) return;
      if (performance.now() > deadlineMs) throw new Error(`${topic} has no leader`);
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await sleep(pollMs);
  }
}

/** Creates the topic if it is not there. */
export async function openKafkaValues(addresses: readonly string[], topic: string): Promise<KafkaValues> {
  const kafka = new Kafka({ brokers: [...addresses], clientId: "kit", logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer: Producer = kafka.producer();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false });
  await untilLed(admin, topic);
  await producer.connect();
  return {
    async write(value) {
      await producer.send({ topic, acks: -1, messages: [{ partition: 0, value }] });
    },
    readAll: () => readTopic(kafka, admin, topic),
    async close() {
      await producer.disconnect();
      await admin.disconnect();
    },
  };
}
