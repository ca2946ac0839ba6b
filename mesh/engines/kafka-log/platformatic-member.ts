import { type BaseOptions, Consumer, FetchIsolationLevels, findErrorBy, type RecordsBatch } from "@platformatic/kafka";
import { limits } from "../../limits.ts";
import type { LogEntry } from "../../ports/log.ts";
import type { GroupMember, MemberEvents } from "./kafka-client.ts";
import { sleep } from "./sleep.ts";

/** What createPlatformaticMember needs. */
export interface PlatformaticMemberOptions {
  readonly base: BaseOptions;
  readonly groupId: string;
  readonly topic: string;
  readonly events: MemberEvents;
}

type Fetched = Awaited<ReturnType<Consumer["fetch"]>>;
type Place = { readonly partition: number; readonly offset: number };
/** Bit of a batch's attributes: its records have the time at which the log took them, in maxTimestamp. */
const hasLogAppendTime = 8;

function* entriesOf(batches: readonly RecordsBatch[], from: number): Generator<LogEntry> {
  for (const { firstOffset, firstTimestamp, maxTimestamp, attributes, records } of batches) {
    for (const { offsetDelta, timestampDelta, value } of records) {
      const offset = Number(firstOffset) + offsetDelta;
      // A batch is fetched whole, whatever record in it was asked for.
      if (offset < from) continue;
      const time = (attributes & hasLogAppendTime) === 0 ? firstTimestamp + timestampDelta : maxTimestamp;
      yield { offset, timeMs: Number(time), payload: value ?? new Uint8Array(0) };
    }
  }
}

class PlatformaticMember implements GroupMember {
  readonly #options: PlatformaticMemberOptions;
  readonly #consumer: Consumer;
  /** Offset of the next fetch, by partition that the group has given to this member and `seek` has named. */
  readonly #next = new Map<number, number>();
  #wake: (() => void) | undefined;
  #closed = false;
  #fetching: Promise<void> | undefined;
  #joining: Promise<void> | undefined;

  constructor(options: PlatformaticMemberOptions) {
    this.#options = options;
    const { base, groupId, topic } = options;
    this.#consumer = new Consumer({
      ...base,
      groupId,
      sessionTimeout: limits.kafkaSessionTimeoutMs,
      rebalanceTimeout: limits.kafkaRebalanceTimeoutMs,
      heartbeatInterval: limits.kafkaHeartbeatMs,
      maxWaitTime: limits.kafkaFetchWaitMs,
      maxBytes: limits.maxKafkaFetchBytes,
      isolationLevel: FetchIsolationLevels.READ_UNCOMMITTED,
    });
    this.#consumer.topics.track(topic);
    this.#consumer.on("consumer:group:join", ({ assignments }) => this.#joined(assignments ?? []));
    this.#consumer.on("consumer:group:rebalance", () => this.#lost());
    // Told when it could not join again; it does not try any more then.
    this.#consumer.on("error", (error: Error) => this.#failed(error));
  }

  async start(): Promise<void> {
    await this.#consumer.joinGroup({});
    this.#fetching = this.#fetchAll();
  }

  seek(partition: number, offset: number): void {
    this.#next.set(partition, offset);
    this.#wake?.();
  }

  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    const { topic } = this.#options;
    const rows = [...offsets].map(([partition, offset]) => ({ topic, partition, offset: BigInt(offset) }));
    await this.#consumer.commit({ offsets: rows.map((row) => ({ ...row, leaderEpoch: -1 })) });
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#next.clear();
      this.#wake?.();
      await this.#joining;
      await this.#fetching;
    }
    await this.#consumer.close(true).catch(() => {});
  }

  #joined(assignments: readonly { topic: string; partitions: readonly number[] }[]): void {
    this.#next.clear();
    const { topic, events } = this.#options;
    events.onAssigned(assignments.find((one) => one.topic === topic)?.partitions ?? []);
  }

  #lost(): void {
    this.#next.clear();
    this.#options.events.onLost();
  }

  #failed(error: Error): void {
    if (this.#closed) return;
    this.#next.clear();
    this.#options.events.onCrash(error, true);
    this.#joining ??= this.#joinAgain().finally(() => {
      this.#joining = undefined;
    });
  }

  async #joinAgain(): Promise<void> {
    for (
      let waitMs: number = limits.kafkaRetryMs;
      !this.#closed;
      waitMs = Math.min(2 * waitMs, limits.kafkaRetryMaxMs)
    ) {
      await sleep(waitMs);
      try {
        await this.#consumer.joinGroup({});
        return;
      } catch (error) {
        this.#options.events.onCrash(error as Error, true);
      }
    }
  }

  /** One fetch after the other: the reader takes what all of them brought before the next one is made. */
  async #fetchAll(): Promise<void> {
    while (!this.#closed) {
      const places = [...this.#next].map(([partition, offset]): Place => ({ partition, offset }));
      if (places.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      try {
        await this.#fetchOnce(places);
      } catch (error) {
        if (this.#closed) return;
        if (findErrorBy(error as Error, "apiId", "OFFSET_OUT_OF_RANGE") !== null) {
          this.#next.clear();
          this.#options.events.onOutOfRange(error as Error);
        } else {
          this.#consumer.clearMetadata();
          await sleep(limits.kafkaRetryMs);
        }
      }
    }
  }

  async #fetchOnce(places: readonly Place[]): Promise<void> {
    const { topic } = this.#options;
    const { topics } = await this.#consumer.metadata({ topics: [topic] });
    const found = topics.get(topic);
    const byLeader = new Map<number, Place[]>();
    for (const place of places) {
      const leader = found?.partitions[place.partition]?.leader ?? -1;
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), place]);
    }
    await Promise.all(
      [...byLeader].map(async ([node, some]) => {
        const answer = await this.#consumer.fetch({
          node,
          topics: [{ topicId: found?.id ?? "", partitions: some.map(toRequest) }],
        });
        await this.#hand(answer, some);
      }),
    );
  }

  async #hand({ responses }: Fetched, places: readonly Place[]): Promise<void> {
    const rows = responses.flatMap(({ partitions }) => partitions);
    const handed = rows.map(async ({ partitionIndex: partition, records, highWatermark }) => {
      const place = places.find((one) => one.partition === partition);
      if (place === undefined || this.#next.get(partition) !== place.offset) return;
      const entries = [...entriesOf(records ?? [], place.offset)];
      if (entries.length === 0) return;
      const last = await this.#options.events.onFetch({ partition, entries, high: Number(highWatermark) });
      if (last !== undefined && this.#next.get(partition) === place.offset) this.#next.set(partition, last + 1);
    });
    await Promise.all(handed);
  }
}

const toRequest = ({ partition, offset }: Place) => ({
  partition,
  fetchOffset: BigInt(offset),
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
  partitionMaxBytes: limits.maxKafkaFetchBytes,
});

/** A member by @platformatic/kafka: its group protocol and its fetch; positions and order are ours. */
export function createPlatformaticMember(options: PlatformaticMemberOptions): GroupMember {
  return new PlatformaticMember(options);
}
