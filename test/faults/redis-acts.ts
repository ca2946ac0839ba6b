import { setTimeout as sleep } from "node:timers/promises";
import type { RedisNode, RedisServers } from "@chappe/mesh/dev-engines/start-redis.ts";
import { Redis } from "ioredis";
import { type Act, stallMs } from "./act.ts";

const failoverTimeoutMs = 20_000;
const pollMs = 100;
/** What the replica misses; longer, and the cluster would give its master up before it dies. */
const staleMs = 2_000;

async function ask(node: RedisNode, command: string, ...args: readonly string[]): Promise<unknown> {
  const client = new Redis({ host: "127.0.0.1", port: node.port, lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}

/** Nodes that have slots now. */
async function mastersOf({ nodes }: RedisServers): Promise<RedisNode[]> {
  const roles = await Promise.all(nodes.map((node) => ask(node, "ROLE").catch(() => ["gone"])));
  return nodes.filter((_, i) => (roles[i] as unknown[])[0] === "master");
}

/** A replica that is in step with its master. */
async function replicaOf({ nodes }: RedisServers, master: RedisNode): Promise<RedisNode | undefined> {
  const [, , replicas] = (await ask(master, "ROLE")) as [string, number, [string, string, string][]];
  return nodes.find(({ port }) => replicas.some(([, at]) => Number(at) === port));
}

async function untilReplaced(redis: RedisServers, masters: number): Promise<void> {
  const deadlineMs = performance.now() + failoverTimeoutMs;
  while ((await mastersOf(redis)).length < masters) {
    if (performance.now() > deadlineMs) throw new Error("no replica took the place of its master");
    await sleep(pollMs);
  }
}

/** FLUSHALL of the whole cluster. */
export const flushRedis: Act = {
  what: "FLUSHALL of Redis",
  async perform({ mesh }) {
    await Promise.all((await mastersOf(mesh.redis)).map((node) => ask(node, "FLUSHALL")));
  },
};

/** A master dies and is back, empty, before its replica may take over. */
export const killRedisMaster: Act = {
  what: "kill a Redis master",
  async perform({ mesh }) {
    const [master] = await mastersOf(mesh.redis);
    await master!.kill();
    await master!.restart();
  },
};

/** A master dies; its replica takes over. */
export const failOverRedis: Act = {
  what: "kill a Redis master until its replica has taken over",
  async perform({ mesh }) {
    const masters = await mastersOf(mesh.redis);
    await masters[0]!.kill();
    await untilReplaced(mesh.redis, masters.length);
    await masters[0]!.restart();
  },
};

/** A master sleeps; its replica takes over, and the master wakes up as one of the past. */
export const stallRedisMaster: Act = {
  what: "stall a Redis master",
  async perform({ mesh }) {
    const [master] = await mastersOf(mesh.redis);
    await master!.kill("SIGSTOP");
    await sleep(stallMs);
    await master!.kill("SIGCONT");
  },
};

/** A master dies while its replica has stood still: the replica takes over without the last writes. */
export const promoteStaleReplica: Act = {
  what: "a stale Redis replica takes over",
  async perform({ mesh }) {
    const masters = await mastersOf(mesh.redis);
    const withReplicas = await Promise.all(
      masters.map(async (master) => ({ master, replica: await replicaOf(mesh.redis, master) })),
    );
    const { master, replica } = withReplicas.find((one) => one.replica !== undefined)!;
    await replica!.kill("SIGSTOP");
    try {
      // The link is cut, or what is on its way would reach the replica when it wakes.
      await ask(master, "CLIENT", "KILL", "TYPE", "replica");
      await sleep(staleMs);
      await master.kill();
    } finally {
      await replica!.kill("SIGCONT");
    }
    await untilReplaced(mesh.redis, masters.length);
    await master.restart();
  },
};
