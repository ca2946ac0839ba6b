import { Cluster, Redis } from "ioredis";
import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";

/** One Redis server or a cluster; commands of one turn leave as one pipeline a node. */
export type RedisClient = Redis | Cluster;

const redisOptions = {
  connectTimeout: limits.redisTimeoutMs,
  commandTimeout: limits.redisTimeoutMs,
  maxRetriesPerRequest: 1,
  enableAutoPipelining: true,
  autoResubscribe: true,
  retryStrategy: (attempt: number): number => Math.min(limits.redisRetryMs * attempt, limits.redisRetryMaxMs),
};

const nodeOf = (address: string): { host: string; port: number } => {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
};

/** Connects, in the background: a cluster when there are several addresses ("host:port" each). */
export function openRedis(addresses: readonly string[], password?: string): RedisClient {
  const nodes = addresses.map(nodeOf);
  const secret = password === undefined ? {} : { password };
  const client =
    nodes.length > 1
      ? new Cluster(nodes, {
          redisOptions: { ...redisOptions, ...secret },
          enableAutoPipelining: true,
          slotsRefreshTimeout: limits.redisTimeoutMs,
          slotsRefreshInterval: limits.redisSlotsRefreshMs,
          clusterRetryStrategy: redisOptions.retryStrategy,
          retryDelayOnFailover: limits.redisRetryMs,
          retryDelayOnClusterDown: limits.redisRetryMs,
        })
      : new Redis({ ...nodes[0]!, ...redisOptions, ...secret });
  // Every command rejects by itself; without a listener the event would end the process.
  client.on("error", () => undefined);
  return client;
}

/** A command's result; whatever Redis or the way to it refuses is UNAVAILABLE. */
export async function redisCall<T>(command: Promise<T>): Promise<T> {
  try {
    return await command;
  } catch (cause) {
    throw new ChappeError("UNAVAILABLE", "Redis did not do it.", { cause });
  }
}
