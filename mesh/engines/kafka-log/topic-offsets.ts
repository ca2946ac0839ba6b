import type { Admin } from "kafkajs";

/** What a partition holds: from the oldest kept record to the one after the newest. */
export interface PartitionEnds {
  readonly low: number;
  readonly high: number;
}

/** Reads the ends of partitions; questions that come while one is with the brokers share the next. */
export interface TopicOffsets {
  /** By partition, as of some moment after the call. */
  read(topic: string): Promise<ReadonlyMap<number, PartitionEnds>>;
}

/** Makes one over a connected admin client. */
export function createTopicOffsets(admin: Pick<Admin, "fetchTopicOffsets">): TopicOffsets {
  type Ends = Promise<ReadonlyMap<number, PartitionEnds>>;
  const running = new Map<string, Ends>();
  const next = new Map<string, Ends>();
  const ask = async (topic: string): Ends => {
    const rows = await admin.fetchTopicOffsets(topic);
    return new Map(rows.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
  };
  const start = (topic: string): Ends => {
    const asked = ask(topic).finally(() => running.delete(topic));
    running.set(topic, asked);
    return asked;
  };
  return {
    read(topic) {
      const before = running.get(topic);
      if (before === undefined) return start(topic);
      const waiting = next.get(topic);
      if (waiting !== undefined) return waiting;
      const follow = (): Ends => {
        next.delete(topic);
        return start(topic);
      };
      const later = before.then(follow, follow);
      next.set(topic, later);
      return later;
    },
  };
}
