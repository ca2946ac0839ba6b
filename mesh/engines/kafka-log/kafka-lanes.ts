import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { Appended } from "../../ports/log.ts";
import type { KafkaClient, Produced } from "./kafka-client.ts";
import { sleep } from "./sleep.ts";

interface Waiting {
  readonly payload: Uint8Array;
  readonly deadlineMs: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: ChappeError) => void;
}

/** Appends of one partition: those of `sending` are with the broker, and nothing else of the partition is. */
interface Lane {
  readonly topic: string;
  readonly partition: number;
  waiting: Waiting[];
  sending: readonly Waiting[];
}

/** What lanes need. */
export interface KafkaLanesOptions {
  readonly client: Pick<KafkaClient, "produce">;
  readonly appendTimeoutMs: number;
  /** Told of the offset after each record that was taken. */
  readonly onAppended: (topic: string, partition: number, end: number) => void;
}

/** The first waiting records that fit into one produce request. */
function takeSome(lane: Lane): readonly Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { payload } of lane.waiting) {
    bytes += payload.byteLength;
    if (count > 0 && bytes > limits.maxKafkaProduceBytes) break;
    if (++count === limits.maxKafkaProduceRecords) break;
  }
  return lane.waiting.splice(0, count);
}

/**
 * One produce in flight per partition: what waits meanwhile goes as the next batch, and a batch that failed is sent
 * again as it was. A repeated batch may be on the log twice; readers go by ids. No client's idempotent mode is trusted.
 */
export class KafkaLanes {
  readonly #options: KafkaLanesOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #inHand = new Set<Promise<void>>();
  #waitingBytes = 0;
  #scheduled = false;

  constructor(options: KafkaLanesOptions) {
    this.#options = options;
  }

  append(topic: string, partition: number, payload: Uint8Array): Promise<Appended> {
    if (this.#waitingBytes + payload.byteLength > limits.maxLogQueueBytes) {
      const retryAfterMs = limits.overloadRetryAfterMs;
      return Promise.reject(new ChappeError("OVERLOADED", "too many bytes wait for Kafka", { retryAfterMs }));
    }
    this.#waitingBytes += payload.byteLength;
    // Not the clock's time: an append must not end, or never end, because somebody set the clock.
    const deadlineMs = performance.now() + this.#options.appendTimeoutMs;
    const appended = Promise.withResolvers<Appended>();
    this.#laneOf(topic, partition).waiting.push({ payload, deadlineMs, ...appended });
    this.#schedule();
    return appended.promise;
  }

  /** Settles when every append in hand has. */
  async settled(): Promise<void> {
    while (this.#scheduled || this.#inHand.size > 0) {
      await Promise.all(this.#inHand);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #laneOf(topic: string, partition: number): Lane {
    const key = `${topic}/${partition}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { topic, partition, waiting: [], sending: [] };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#sendIdle();
    });
  }

  #sendIdle(): void {
    const lanes = [...this.#lanes.values()].filter((lane) => lane.sending.length === 0 && lane.waiting.length > 0);
    if (lanes.length === 0) return;
    for (const lane of lanes) lane.sending = takeSome(lane);
    const sent = this.#send(lanes).then(() => {
      for (const lane of lanes) {
        for (const { payload } of lane.sending) this.#waitingBytes -= payload.byteLength;
        lane.sending = [];
      }
      this.#inHand.delete(sent);
      if (lanes.some((lane) => lane.waiting.length > 0)) this.#schedule();
    });
    this.#inHand.add(sent);
  }

  /** Sends what the lanes hold until it is taken or its time is over; settles all of it. */
  async #send(lanes: readonly Lane[]): Promise<void> {
    const deadlineMs = Math.min(...lanes.map(({ sending }) => sending[0]!.deadlineMs));
    const batches = lanes.map(({ topic, partition, sending }) => {
      return { topic, partition, records: sending.map(({ payload }) => payload) };
    });
    for (let waitMs: number = limits.kafkaRetryMs; ; waitMs = Math.min(2 * waitMs, limits.kafkaRetryMaxMs)) {
      try {
        this.#settle(lanes, await this.#options.client.produce(batches));
        return;
      } catch (cause) {
        if (performance.now() + waitMs < deadlineMs) await sleep(waitMs);
        else {
          const error = new ChappeError("DEADLINE_EXCEEDED", "Kafka has not taken the record in time", { cause });
          for (const { sending } of lanes) for (const { reject } of sending) reject(error);
          return;
        }
      }
    }
  }

  #settle(lanes: readonly Lane[], answers: readonly Produced[]): void {
    const found = new Map(answers.map((answer) => [`${answer.topic}/${answer.partition}`, answer]));
    for (const { topic, partition, sending } of lanes) {
      const answer = found.get(`${topic}/${partition}`);
      if (answer === undefined) throw new Error(`no answer for ${topic}/${partition}`);
      const { baseOffset: base, timeMs } = answer;
      this.#options.onAppended(topic, partition, base + sending.length);
      for (const [index, { resolve }] of sending.entries()) resolve({ offset: base + index, timeMs });
    }
  }
}
