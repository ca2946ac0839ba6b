import type { RedisNode } from "@chappe/mesh/dev-engines/start-redis.ts";
import { Redis } from "ioredis";
import { cpuSecondsOf } from "../support/process-usage.ts";

/** Calls by name of command. */
export type CommandCalls = Readonly<Record<string, number>>;

/** What one redis-server says of itself. */
export interface RedisMeter {
  /** For commands of the bench itself. */
  readonly client: Redis;
  /** CPU seconds of the process since its start. */
  cpuSeconds(): number;
  /** Bytes of data and of what holds it. */
  usedBytes(): Promise<number>;
  /** Forgets all data and all counters. */
  reset(): Promise<void>;
  /** Commands run since the last reset, those that scripts ran included, without the meter's own. */
  commandCalls(): Promise<CommandCalls>;
  close(): void;
}

const ownCommands: ReadonlySet<string> = new Set(["info", "config|resetstat", "flushall", "ping", "client|setinfo"]);

/** Reads the counters of a Redis server. */
export function createRedisMeter({ port, pid }: RedisNode): RedisMeter {
  const client = new Redis({ host: "127.0.0.1", port });
  return {
    client,
    cpuSeconds: () => cpuSecondsOf(pid),
    async usedBytes() {
      return Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]);
    },
    async reset() {
      await client.flushall();
      await client.config("RESETSTAT");
    },
    async commandCalls() {
      const text = await client.info("commandstats");
      const calls: Record<string, number> = {};
      for (const [, name, count] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm))
        if (!ownCommands.has(name!)) calls[name!] = Number(count);
      return calls;
    },
    close: () => client.disconnect(),
  };
}

/** Commands in all. */
export const totalCalls = (calls: CommandCalls): number => Object.values(calls).reduce((sum, count) => sum + count, 0);
