import { setTimeout as pause } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { limits } from "../../limits.ts";
import type { TopicEnds } from "./kafka-client.ts";

/** Reads the ends of partitions; questions that come while one is with the brokers share the next. */
export interface TopicOffsets {
  /** By partition, as of some moment after the call. */
  read(topic: string): Promise<TopicEnds>;
}

type Ends = Promise<TopicEnds>;
type OffsetsAdmin = Pick<Admin, "fetchTopicOffsets" | "connect" | "disconnect">;

/**
 * Asks again while a partition has no leader or another than before, which kafkajs does not: it learns of leaders only
 * when it connects.
 */
async function ask(admin: OffsetsAdmin, topic: string): Ends {
  const deadlineMs = performance.now() + limits.kafkaLeaderWaitMs;
  for (let waitMs: number = limits.kafkaRetryMs; ; waitMs = Math.min(2 * waitMs, limits.kafkaRetryMaxMs)) {
    try {
      const rows = await admin.fetchTopicOffsets(topic);
      return new Map(rows.map(({ partition, low, high }) => [partition, { low: Number(low), high: Number(high) }]));
    } catch (error) {
      const { retriable } = error as { retriable?: boolean };
      if (retriable !== true || performance.now() > deadlineMs) throw error;
    }
    await pause(waitMs);
    await admin.disconnect();
    await admin.connect();
  }
}

/** Makes one over a connected admin client that nobody else uses. */
export function createTopicOffsets(admin: OffsetsAdmin): TopicOffsets {
  const running = new Map<string, Ends>();
  const next = new Map<string, Ends>();
  // One question at a time, whatever its topic: connecting anew would cut another off.
  let last: Promise<unknown> = Promise.resolve();
  const start = (topic: string): Ends => {
    const asked = last.then(() => ask(admin, topic)).finally(() => running.delete(topic));
    last = asked.catch(() => undefined);
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
