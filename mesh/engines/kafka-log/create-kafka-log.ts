import { randomUUID } from "node:crypto";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Appended, Log, LogConsumer, LogSubscription, Topic } from "../../ports/log.ts";
import { invalidArgument } from "../../rpc/invalid-argument.ts";
import type { KafkaClient } from "./kafka-client.ts";
import { kafkaUnavailable } from "./kafka-errors.ts";
import { KafkaLanes } from "./kafka-lanes.ts";
import type { KafkaLogOptions } from "./kafka-log-options.ts";
import { KafkaReader } from "./kafka-reader.ts";
import { ensureTopics, topicName } from "./kafka-topics.ts";
import { createKafkajsClient } from "./kafkajs-client.ts";

class KafkaLog implements Log {
  readonly partitions: number;
  readonly #options: KafkaLogOptions;
  readonly #client: KafkaClient;
  readonly #lanes: KafkaLanes;
  readonly #readers = new Map<KafkaReader, string>();
  #closing: Promise<void> | undefined;

  constructor(options: KafkaLogOptions, client: KafkaClient) {
    const { appendTimeoutMs = limits.kafkaAppendTimeoutMs } = options;
    this.#options = options;
    this.partitions = options.partitions;
    this.#client = client;
    const onAppended = (topic: string, partition: number, end: number): void => {
      for (const [reader, read] of this.#readers) if (read === topic) reader.onAppended(partition, end);
    };
    this.#lanes = new KafkaLanes({ client, appendTimeoutMs, onAppended });
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
    const ends = await this.#client.ends(topicName(topic, this.#options)).catch((error: unknown) => {
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
    const { report = () => {}, onFailed = () => {} } = this.#options;
    const client = this.#client;
    const subscription = new KafkaReader({
      topic: name,
      isAlone,
      reader,
      createMember: (events) => client.createMember(groupId, name, this.partitions, events),
      committed: async () => (isAlone ? new Map() : await client.committed(groupId, name)),
      ends: () => client.ends(name),
      onFailed,
      report,
    });
    this.#readers.set(subscription, name);
    try {
      await subscription.start();
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

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#lanes.settled();
    await Promise.all([...this.#readers.keys()].map((reader) => reader.close()));
    await this.#client.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ChappeError("UNAVAILABLE", "the log is closed");
  }

  #checkPartition(partition: number): void {
    if (!Number.isInteger(partition) || partition < 0 || partition >= this.partitions)
      throw invalidArgument("partition", "range", `is not 0 to ${this.partitions - 1}`);
  }
}

/** The library is loaded when it is wanted. */
async function openClient(options: KafkaLogOptions): Promise<KafkaClient> {
  if (options.client !== "platformatic") return createKafkajsClient(options);
  const { createPlatformaticClient } = await import("./platformatic-client.ts");
  return createPlatformaticClient(options);
}

/**
 * Opens a log on Kafka and makes its topics where they are missing. UNAVAILABLE when no broker answers,
 * INVALID_ARGUMENT when the topics were made with other settings; both say what to do.
 */
export async function createKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const client = await openClient(options);
  try {
    await client.connect();
    await ensureTopics(client, options);
  } catch (error) {
    await client.close();
    throw error instanceof ChappeError ? error : kafkaUnavailable(options.brokers, error);
  }
  return new KafkaLog(options, client);
}
