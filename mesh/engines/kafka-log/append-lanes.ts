import { setTimeout as pause } from "node:timers/promises";
import type { Producer, RecordMetadata } from "kafkajs";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Appended } from "../../ports/log.ts";
import { kafkaErrorType } from "./kafka-client.ts";

interface Waiting {
  readonly value: Buffer;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: ChappeError) => void;
}

/** One partition: what waits, and what is on its way. */
interface Lane {
  readonly topic: string;
  readonly partition: number;
  waiting: Waiting[];
  batch: readonly Waiting[];
}

/** What AppendLanes needs. */
export interface AppendLanesOptions {
  readonly producer: Producer;
  /** Node that leads a partition, as far as known; partitions of one node share a request. */
  readonly leaderOf: (topic: string, partition: number) => number;
  /** A send failed: leaders may have moved. It is tried again. */
  readonly onRetry: (error: unknown) => void;
  readonly onAppended: (topic: string, partition: number, nextOffset: number) => void;
  /** @default limits.maxLogQueueBytes */
  readonly maxQueueBytes?: number;
  /** A batch that is not stored after so long is given up. @default limits.kafkaAppendTimeoutMs */
  readonly appendTimeoutMs?: number;
}

/** Memory of a waiting append besides its payload. */
const waitingOverheadBytes = 128;

/** Kafka errors after which nothing was stored and a retry would end the same way. */
const refusals = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_RECORD", "TOPIC_AUTHORIZATION_FAILED"]);

/**
 * Takes records to Kafka: per partition one produce in flight, the same batch again until it is stored, then the next.
 * A resend after a lost answer may store the batch twice; readers rely on ids.
 */
export class AppendLanes {
  readonly #options: AppendLanesOptions;
  readonly #lanes = new Map<string, Lane>();
  #due = new Set<Lane>();
  #heldBytes = 0;
  #sending = 0;
  #idle: (() => void)[] = [];

  constructor(options: AppendLanesOptions) {
    this.#options = options;
  }

  /** Queues a record, keeping `payload` by reference. OVERLOADED when too much waits. */
  append(topic: string, partition: number, payload: Uint8Array): Promise<Appended> {
    const { maxQueueBytes = limits.maxLogQueueBytes } = this.#options;
    const lane = this.#lane(topic, partition);
    const bytes = payload.byteLength + waitingOverheadBytes;
    if (this.#heldBytes + bytes > maxQueueBytes || lane.waiting.length >= limits.maxKafkaLaneRecords) {
      const retryAfterMs = limits.overloadRetryAfterMs;
      return Promise.reject(new ChappeError("OVERLOADED", "too many records wait for Kafka", { retryAfterMs }));
    }
    this.#heldBytes += bytes;
    const value = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    return new Promise((resolve, reject) => {
      lane.waiting.push({ value, resolve, reject });
      this.#schedule(lane);
    });
  }

  /** Settles when nothing waits and nothing is on its way. */
  async idle(): Promise<void> {
    if (this.#sending > 0 || this.#due.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #lane(topic: string, partition: number): Lane {
    const key = `${topic}/${partition}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { topic, partition, waiting: [], batch: [] };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #schedule(lane: Lane): void {
    if (lane.batch.length > 0 || lane.waiting.length === 0) return;
    // What comes in one turn shares a request.
    if (this.#due.size === 0) setImmediate(() => this.#flush());
    this.#due.add(lane);
  }

  #flush(): void {
    const due = this.#due;
    this.#due = new Set();
    const byLeader = new Map<number, Lane[]>();
    for (const lane of due) {
      lane.batch = this.#take(lane);
      const leader = this.#options.leaderOf(lane.topic, lane.partition);
      const lanes = byLeader.get(leader);
      if (lanes === undefined) byLeader.set(leader, [lane]);
      else lanes.push(lane);
    }
    for (const lanes of byLeader.values()) void this.#run(lanes);
  }

  #take(lane: Lane): Waiting[] {
    let [count, bytes] = [0, 0];
    for (const { value } of lane.waiting) {
      bytes += value.byteLength;
      if (count > 0 && (bytes > limits.maxRecordBytes || count >= limits.maxKafkaBatchRecords)) break;
      count++;
    }
    return lane.waiting.splice(0, count);
  }

  /** Sends the batches of lanes together; after a failure each lane goes on alone, so that none waits for another. */
  async #run(lanes: readonly Lane[]): Promise<void> {
    this.#sending++;
    try {
      this.#settle(lanes, await this.#send(lanes));
    } catch (error) {
      this.#options.onRetry(error);
      await Promise.all(lanes.map((lane) => this.#insist(lane, error)));
    }
    this.#sending--;
    for (const lane of lanes) this.#schedule(lane);
    if (this.#sending === 0 && this.#due.size === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  async #insist(lane: Lane, first: unknown): Promise<void> {
    const until = performance.now() + (this.#options.appendTimeoutMs ?? limits.kafkaAppendTimeoutMs);
    let waitMs: number = limits.kafkaRetryMs;
    for (let error = first; ; ) {
      if (refusals.has(kafkaErrorType(error) ?? "")) {
        return this.#fail(lane, new ChappeError("INTERNAL", "Kafka refuses the record", { cause: error }));
      }
      if (performance.now() >= until) {
        return this.#fail(lane, new ChappeError("DEADLINE_EXCEEDED", "Kafka did not store it in time", { cause: error }));
      }
      await pause(waitMs);
      waitMs = Math.min(waitMs * 2, limits.kafkaRetryMaxMs);
      try {
        return this.#settle([lane], await this.#send([lane]));
      } catch (failure) {
        error = failure;
        this.#options.onRetry(failure);
      }
    }
  }

  #send(lanes: readonly Lane[]): Promise<RecordMetadata[]> {
    const messages = new Map<string, { value: Buffer; partition: number }[]>();
    for (const { topic, partition, batch } of lanes) {
      const list = messages.get(topic) ?? [];
      for (const { value } of batch) list.push({ value, partition });
      messages.set(topic, list);
    }
    const topicMessages = [...messages].map(([topic, list]) => ({ topic, messages: list }));
    return this.#options.producer.sendBatch({ acks: -1, timeout: limits.kafkaProduceTimeoutMs, topicMessages });
  }

  #settle(lanes: readonly Lane[], stored: readonly RecordMetadata[]): void {
    const places = new Map(stored.map((place) => [`${place.topicName}/${place.partition}`, place]));
    const found = lanes.map((lane) => places.get(`${lane.topic}/${lane.partition}`));
    if (found.includes(undefined)) throw new ChappeError("INTERNAL", "Kafka's answer lacks a partition");
    for (const [i, lane] of lanes.entries()) {
      const first = Number(found[i]!.baseOffset);
      const timeMs = Number(found[i]!.logAppendTime);
      const batch = this.#release(lane);
      this.#options.onAppended(lane.topic, lane.partition, first + batch.length);
      batch.forEach(({ resolve }, index) => resolve({ offset: first + index, timeMs }));
    }
  }

  #fail(lane: Lane, error: ChappeError): void {
    for (const { reject } of this.#release(lane)) reject(error);
  }

  #release(lane: Lane): readonly Waiting[] {
    const { batch } = lane;
    lane.batch = [];
    for (const { value } of batch) this.#heldBytes -= value.byteLength + waitingOverheadBytes;
    return batch;
  }
}
