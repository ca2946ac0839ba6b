import { type RedisServers, startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { openRedis, type RedisClient } from "@chappe/mesh/engines/redis/open-redis.ts";
import { createRedisPresence } from "@chappe/mesh/engines/redis-presence/redis-presence.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { Cluster } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describePresence } from "./presence-conformance.ts";

const clusterNodes = 6;
const idleSweepMs = 3_600_000;

let servers: RedisServers;
let side: RedisClient;
beforeAll(async () => {
  servers = await startRedis({ nodes: clusterNodes });
  side = openRedis(servers.addresses);
  await new Promise<void>((resolve) => side.once("ready", () => resolve()));
});
afterAll(async () => {
  side?.disconnect();
  await servers?.close();
});

const mastersOf = (client: RedisClient) => (client instanceof Cluster ? client.nodes("master") : [client]);

/** Moves the end of every lease: the engine goes by Redis's clock, which a test cannot move. */
async function passMs(ms: number): Promise<void> {
  for (const node of mastersOf(side)) {
    for (const key of await node.keys("chappe:lease:*")) {
      const left = await node.pttl(key);
      if (left <= ms) await node.del(key);
      else await node.pexpire(key, left - ms);
    }
  }
}

async function flushAll(): Promise<void> {
  for (const node of mastersOf(side)) await node.flushall();
}

const settleMs = 60;
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, settleMs));

describePresence("Redis Cluster", async () => {
  await flushAll();
  const presence = createRedisPresence({ addresses: servers.addresses, sweepMs: idleSweepMs });
  presence.watch(() => undefined);
  // Until the subscription stands, changes are not heard: at most once, as the port says.
  await settled();
  await presence.sweep();
  return {
    presence,
    async passMs(ms) {
      await passMs(ms);
      await presence.sweep();
    },
    settled,
    close: () => presence.close(),
  };
});

describe("Redis presence", () => {
  const entry = { userId: 5n, deviceId: 6n, loginId: "login-f", loginEpoch: 1, connectionId: 7n };

  test("says that entries are lost when Redis lost its data", async () => {
    const presence = createRedisPresence({ addresses: servers.addresses });
    expect(await presence.renewLease("login-f", 1, 10_000)).toEqual({ entriesLost: true });
    await presence.register([entry]);
    expect(await presence.renewLease("login-f", 1, 10_000)).toEqual({ entriesLost: false });
    await flushAll();
    expect(await presence.lookup([5n])).toEqual([[]]);
    expect(await presence.renewLease("login-f", 1, 10_000)).toEqual({ entriesLost: true });
    await presence.close();
  });

  test("two processes see one table", async () => {
    const [a, b] = [servers, servers].map(({ addresses }) => createRedisPresence({ addresses }));
    await a!.renewLease("login-f", 1, 10_000);
    await a!.register([entry]);
    expect(await b!.lookup([5n])).toEqual([[entry]]);
    await b!.unregister([entry]);
    expect(await a!.lookup([5n])).toEqual([[]]);
    await a!.close();
    await b!.close();
  });

  test("goes on after a master is killed, and refuses in time while it is away", async () => {
    const presence = createRedisPresence({ addresses: servers.addresses });
    await presence.renewLease("login-f", 1, 60_000);
    const entries = Array.from({ length: 100 }, (_, i) => ({
      ...entry,
      userId: BigInt(i + 1),
      connectionId: BigInt(i + 1),
    }));
    await presence.register(entries);
    await servers.nodes[0]!.kill("SIGKILL");
    await expect
      .poll(
        async () => {
          try {
            await presence.renewLease("login-f", 1, 60_000);
            await presence.register(entries);
            return (await presence.lookup(entries.map(({ userId }) => userId))).flat().length;
          } catch (error) {
            return ChappeError.is(error, "UNAVAILABLE") ? "refused" : String(error);
          }
        },
        { timeout: 20_000 },
      )
      .toBe(100);
    await presence.close();
  });
});
