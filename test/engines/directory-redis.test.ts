import { type RedisServers, startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { openRedis, type RedisClient } from "@chappe/mesh/engines/redis/open-redis.ts";
import { createRedisDirectory } from "@chappe/mesh/engines/redis-directory/redis-directory.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeDirectory } from "./directory-conformance.ts";

let servers: RedisServers;
let side: RedisClient;
beforeAll(async () => {
  servers = await startRedis({ nodes: 1 });
  side = openRedis(servers.addresses);
});
afterAll(async () => {
  side?.disconnect();
  await servers?.close();
});

const settleMs = 80;
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, settleMs));

describeDirectory("Redis", async () => {
  await side.flushall();
  const directory = createRedisDirectory({ addresses: servers.addresses });
  return { directory, settled, close: () => directory.close() };
});

describe("Redis directory", () => {
  const entry = { role: "route", id: "r1", address: "10.0.0.1:1" };

  test("an entry outlives its process by its time to live only", async () => {
    await side.flushall();
    const [mine, theirs] = [
      createRedisDirectory({ addresses: servers.addresses, ttlMs: 600 }),
      openRedis(servers.addresses),
    ];
    const dead = createRedisDirectory({ addresses: servers.addresses, ttlMs: 600 });
    await dead.register(entry);
    const lists: number[] = [];
    mine.watch("route", (entries) => void lists.push(entries.length));
    await expect.poll(() => lists).toEqual([1]);
    // Renewals go on beyond the time to live.
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(lists).toEqual([1]);
    await theirs.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").catch(() => undefined);
    await expect.poll(async () => (await mine.list("route").catch(() => [])).length).toBe(1);
    await dead.close();
    await expect.poll(() => lists.at(-1)).toBe(0);
    await mine.close();
    theirs.disconnect();
  });

  test("while Redis is away the last list stands, and entries come back with it", async () => {
    await side.flushall();
    const directory = createRedisDirectory({ addresses: servers.addresses, ttlMs: 600 });
    const lists: number[] = [];
    await directory.register(entry);
    directory.watch("route", (entries) => void lists.push(entries.length));
    await expect.poll(() => lists).toEqual([1]);
    await servers.nodes[0]!.kill("SIGSTOP");
    await expect(directory.list("route")).rejects.toThrow();
    expect(lists).toEqual([1]);
    await servers.nodes[0]!.kill("SIGCONT");
    await expect.poll(() => directory.list("route").catch(() => []), { timeout: 10_000 }).toEqual([entry]);
    await side.flushall();
    await expect.poll(() => directory.list("route").catch(() => []), { timeout: 10_000 }).toEqual([entry]);
    await directory.close();
  });
});
