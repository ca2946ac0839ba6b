import type { Batch, Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { limits } from "../../limits.ts";
import type { LogEntry } from "../../ports/log.ts";
import type { GroupMember, MemberEvents } from "./kafka-client.ts";

/** What createKafkajsMember needs. */
export interface KafkajsMemberOptions {
  readonly groupId: string;
  readonly topic: string;
  /** Of the topic. */
  readonly partitions: number;
  readonly events: MemberEvents;
}

const toEntry = ({ offset, timestamp, value }: Batch["messages"][number]): LogEntry => ({
  offset: Number(offset),
  timeMs: Number(timestamp),
  payload: value ?? new Uint8Array(0),
});

/** Hands one fetch over; the heartbeats meanwhile tell of a rebalance by throwing. */
async function handOver({ batch, resolveOffset, heartbeat }: EachBatchPayload, events: MemberEvents): Promise<void> {
  const { partition, highWatermark } = batch;
  const entries = batch.messages.map(toEntry);
  const handed = events.onFetch({ partition, entries, high: Number(highWatermark) });
  let last: number | "waiting" | undefined = "waiting";
  while (last === "waiting") {
    const wait = Promise.withResolvers<"waiting">();
    const timer = setTimeout(wait.resolve, limits.kafkaHeartbeatMs, "waiting");
    last = await Promise.race([handed, wait.promise]).finally(() => clearTimeout(timer));
    await heartbeat();
  }
  if (last !== undefined) resolveOffset(String(last));
}

function listen(consumer: Consumer, topic: string, events: MemberEvents): void {
  const { GROUP_JOIN, REBALANCING, CRASH } = consumer.events;
  consumer.on(GROUP_JOIN, ({ payload }) => events.onAssigned(payload.memberAssignment[topic] ?? []));
  consumer.on(REBALANCING, () => events.onLost());
  consumer.on(CRASH, ({ payload: { error, restart } }) => events.onCrash(error, restart));
}

/** A member by kafkajs. It moves a reader whose records are gone without a word: the reader sees where a fetch begins. */
export function createKafkajsMember(kafka: Kafka, options: KafkajsMemberOptions): GroupMember {
  const { groupId, topic, partitions, events } = options;
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: limits.kafkaSessionTimeoutMs,
    rebalanceTimeout: limits.kafkaRebalanceTimeoutMs,
    heartbeatInterval: limits.kafkaHeartbeatMs,
    maxWaitTimeInMs: limits.kafkaFetchWaitMs,
    maxBytesPerPartition: limits.maxKafkaFetchBytes,
    maxBytes: limits.maxKafkaFetchBytes,
    retry: { restartOnFailure: async () => true },
  });
  listen(consumer, topic, events);
  return {
    async start() {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: partitions,
        eachBatch: (payload) => handOver(payload, events),
      });
    },
    seek: (partition, offset) => consumer.seek({ topic, partition, offset: String(offset) }),
    async commit(offsets) {
      const rows = [...offsets].map(([partition, offset]) => ({ topic, partition, offset: String(offset) }));
      await consumer.commitOffsets(rows);
    },
    close: () => consumer.disconnect(),
  };
}
