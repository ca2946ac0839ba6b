import { Cluster, Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { redisForTests } from "./engines-for-tests.ts";

const key = `kit-${crypto.randomUUID()}`;
const retryMs = 50;
const startMs = 60_000;

function openClient(addresses: readonly string[]): Redis | Cluster {
  const nodes = addresses.map((address) => {
    const [host = "", port] = address.split(":");
    return { host, port: Number(port) };
  });
  const client =
    nodes.length === 1
      ? new Redis({ ...nodes[0]!, retryStrategy: () => retryMs })
      : new Cluster(nodes, { clusterRetryStrategy: () => retryMs, retryDelayOnClusterDown: retryMs });
  client.on("error", () => undefined);
  return client;
}

describe.each([
  ["one server", 1],
  ["a cluster of three", 3],
])("Redis, %s", (_, nodes) => {
  it("keeps what it has answered when a server is killed", { timeout: startMs }, async () => {
    const redis = await redisForTests(nodes);
    const client = openClient(redis.at);
    try {
      const keys = Array.from({ length: 10 }, (_, i) => `${key}-${i}`);
      for (const each of keys) await client.set(each, `value of ${each}`, "EX", 600);
      for (const node of redis.own?.nodes ?? []) {
        await node.kill();
        await node.restart();
      }
      for (const each of keys) expect(await client.get(each)).toBe(`value of ${each}`);
    } finally {
      client.disconnect();
      await redis.close();
    }
  });
});
