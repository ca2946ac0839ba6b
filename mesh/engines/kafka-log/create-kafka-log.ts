import { randomUUID } from "node:crypto";
import type { Admin, Consumer, Kafka, Producer } from "kafkajs";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Appended, Log, LogConsumer, LogSubscription, Topic } from "../../ports/log.ts";
import { invalidArgument } from "../../rpc/invalid-argument.ts";
import { createKafkaClient, kafkaUnavailable } from "./kafka-client.ts";
import { KafkaLanes } from "./kafka-lanes.ts";
import type { KafkaLogOptions } from "./kafka-log-options.ts";
import { KafkaReader } from "./kafka-reader.ts";
import { ensureTopics, topicName } from "./kafka-topics.ts";
import { createTopicOffsets, type TopicOffsets } from "./topic-offsets.ts";

function createMember(kafka: Kafka, groupId: string): Consumer {
  return kafka.consumer({
    groupId,
    sessionTimeout: limits.kafkaSessionTimeoutMs,
    rebalanceTimeout: limits.kafkaRebalanceTimeoutMs,
    heartbeatInterval: limits.kafkaHeartbeatMs,
    maxWaitTimeInMs: limits.kafkaFetchWaitMs,
    maxBytesPerPartition: limits.maxKafkaFetchBytes,
    maxBytes: limits.maxKafkaFetchBytes,
    retry: { restartOnFailure: async () => true },
  });
}

/** Connected clients of one log. */
interface Clients {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly offsetsAdmin: Admin;
  readonly producer: Producer;
}

class KafkaLog implements Log {
  readonly partitions: number;
  readonly #options: KafkaLogOptions;
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #offsetsAdmin: Admin;
  readonly #offsets: TopicOffsets;
  readonly #lanes: KafkaLanes;
  readonly #readers = new Map<KafkaReader, string>();
  #closing: Promise<void> | undefined;

  constructor(options: KafkaLogOptions, { kafka, admin, offsetsAdmin, producer }: Clients) {
    const { appendTimeoutMs = limits.kafkaAppendTimeoutMs } = options;
    this.#options = options;
    this.partitions = options.partitions;
    this.#kafka = kafka;
    this.#admin = admin;
    this.#producer = producer;
    this.#offsetsAdmin = offsetsAdmin;
    this.#offsets = createTopicOffsets(offsetsAdmin);
    const onAppended = (topic: string, partition: number, end: number): void => {
      for (const [reader, read] of this.#readers) if (read === topic) reader.onAppended(partition, end);
    };
    this.#lanes = new KafkaLanes({ producer, appendTimeoutMs, onAppended });
  }

  async append(topic: Topic, partition: number, payload: Uint8Array): Promise<Appended> {
    this.#assertOpen();
    this.#checkPartition(partition);
    if (payload.byteLength > limits.maxRecordBytes)
      throw invalidArgument("payload", "max_len", `is over ${limits.maxRecordBytes} bytes`);
    return this.#lanes.append(topicName(topic, this.#options), partition, payload);
  }

  async end(topic: Topic, partition: number): Promise<number> {
    this.#assertOpen();
    this.#checkPartition(partition);
    const ends = await this.#offsets.read(topicName(topic, this.#options)).catch((error: unknown) => {
      throw kafkaUnavailable(this.#options.brokers, error);
    });
    return ends.get(partition)?.high ?? 0;
  }

  async subscribe(topic: Topic, group: string | undefined, reader: LogConsumer): Promise<LogSubscription> {
    this.#assertOpen();
    const name = topicName(topic, this.#options);
    // A group without a committed offset is forgotten when its member has gone.
    const isAlone = group === undefined;
    const groupId = `${name}.${group ?? `alone-${randomUUID()}`}`;
    const consumer = createMember(this.#kafka, groupId);
    const { report = () => {}, onFailed = () => {} } = this.#options;
    const committed = async (): Promise<ReadonlyMap<number, number>> => {
      if (isAlone) return new Map();
      const [found] = await this.#admin.fetchOffsets({ groupId, topics: [name] });
      const rows = found?.partitions.filter(({ offset }) => Number(offset) >= 0) ?? [];
      return new Map(rows.map(({ partition, offset }) => [partition, Number(offset)]));
    };
    const ends = () => this.#offsets.read(name);
    const subscription = new KafkaReader({ consumer, topic: name, isAlone, reader, committed, ends, onFailed, report });
    this.#readers.set(subscription, name);
    try {
      await this.#run(consumer, name, subscription);
    } catch (error) {
      this.#readers.delete(subscription);
      await subscription.close();
      throw ChappeError.is(error, "CORRUPT") ? error : kafkaUnavailable(this.#options.brokers, error);
    }
    return {
      commit: (offsets) => (isAlone ? undefined : subscription.commit(offsets)),
      lag: () => subscription.lag(),
      close: async () => {
        this.#readers.delete(subscription);
        await subscription.close();
      },
    };
  }

  /** Settles when the first assignment has begun. */
  async #run(consumer: Consumer, topic: string, reader: KafkaReader): Promise<void> {
    const { report = () => {}, onFailed = () => {} } = this.#options;
    const { GROUP_JOIN, REBALANCING, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => reader.onAssigned(payload.memberAssignment[topic] ?? []));
    consumer.on(REBALANCING, () => reader.onLost());
    consumer.on(CRASH, ({ payload: { error, restart } }) => {
      reader.onLost();
      report("reader-crashed", { error, restart });
      if (!restart) onFailed(new ChappeError("UNAVAILABLE", "a Kafka reader has stopped", { cause: error }));
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: this.partitions,
      eachBatch: (payload) => reader.onBatch(payload),
    });
    await reader.began;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#lanes.settled();
    await Promise.all([...this.#readers.keys()].map((reader) => reader.close()));
    await this.#producer.disconnect();
    await this.#admin.disconnect();
    await this.#offsetsAdmin.disconnect();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ChappeError("UNAVAILABLE", "the log is closed");
  }

  #checkPartition(partition: number): void {
    if (!Number.isInteger(partition) || partition < 0 || partition >= this.partitions)
      throw invalidArgument("partition", "range", `is not 0 to ${this.partitions - 1}`);
  }
}

/**
 * Opens a log on Kafka and makes its topics where they are missing. UNAVAILABLE when no broker answers,
 * INVALID_ARGUMENT when the topics were made with other settings; both say what to do.
 */
export async function createKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const { brokers, report = () => {} } = options;
  const kafka = createKafkaClient(brokers, report);
  const admin = kafka.admin();
  const offsetsAdmin = kafka.admin();
  // Batches are repeated by the lanes, which know how long an append may take.
  const producer = kafka.producer({ allowAutoTopicCreation: false, idempotent: false, retry: { retries: 0 } });
  try {
    await admin.connect();
    await ensureTopics(admin, options);
    await offsetsAdmin.connect();
    await producer.connect();
  } catch (error) {
    await Promise.allSettled([producer, offsetsAdmin, admin].map((client) => client.disconnect()));
    throw error instanceof ChappeError ? error : kafkaUnavailable(brokers, error);
  }
  return new KafkaLog(options, { kafka, admin, offsetsAdmin, producer });
}
