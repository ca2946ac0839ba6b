import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createEngineServer, type EngineServer } from "./engine-server.ts";
import { freePort, wantFreePorts } from "./free-port.ts";
import { type ClusterNode, joinRedisCluster, openSetupClient } from "./redis-cluster.ts";
import { openRunDirectory, type RunDirectory } from "./run-directory.ts";

const startTimeoutMs = 20_000;
const nodeTimeoutMs = 1_000;
/** Distance from a port to that of the cluster's own traffic. */
const busDistance = 10_000;

/** How to start Redis. */
export interface RedisOptions {
  /** 1 = a single server; from 3 on a cluster of three masters with `nodes - 3` replicas. */
  readonly nodes: number;
  /** True: data is on disk before a write is answered, and there after a restart. @default false: memory only */
  readonly appendOnly?: boolean;
  /** Kept at the end. @default a temporary one */
  readonly dataDir?: string;
  /** Node i listens on firstPort + i. @default free ones */
  readonly firstPort?: number;
  /** @default 20,000 */
  readonly timeoutMs?: number;
}

/** One redis-server of ours. */
export interface RedisNode extends EngineServer {
  readonly port: number;
}

/** Redis servers of ours. */
export interface RedisServers {
  /** "127.0.0.1:port" each. */
  readonly addresses: readonly string[];
  readonly nodes: readonly RedisNode[];
  /** Ends them; removes the data when its directory is a temporary one. */
  close(): Promise<void>;
}

function startNode(directory: RunDirectory, port: number, options: RedisOptions): ClusterNode {
  const { nodes, appendOnly = false, timeoutMs = startTimeoutMs } = options;
  const folder = join(directory.path, String(port));
  mkdirSync(folder, { recursive: true });
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  // Replicas are not kept waiting for company.
  const log = ["--appendonly", appendOnly ? "yes" : "no", "--repl-diskless-sync-delay", "0"];
  // With "everysec" a write waits in memory while the last sync runs, and kill -9 takes it along.
  const sync = ["--appendfsync", "always"];
  const cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", String(nodeTimeoutMs)];
  const server = createEngineServer({
    what: `redis-server on port ${port}`,
    process: {
      program: "redis-server",
      args: [...settings, ...log, ...sync, ...(nodes > 1 ? cluster : [])],
      cwd: folder,
      logFile: join(directory.path, `redis-${port}.log`),
      ...(directory.temporary === undefined ? {} : { temporaryDirectory: directory.temporary }),
    },
    async check() {
      const client = openSetupClient(port);
      try {
        await client.ping();
      } finally {
        client.disconnect();
      }
    },
    timeoutMs,
  });
  return Object.assign(server, { port });
}

/** Starts Redis on loopback and waits until it answers, a cluster until it is whole. UNAVAILABLE with its log if not. */
export async function startRedis(options: RedisOptions): Promise<RedisServers> {
  const { nodes: count, firstPort } = options;
  const directory = openRunDirectory("redis", options.dataDir);
  const nodes: ClusterNode[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill(directory.temporary === undefined ? "SIGTERM" : "SIGKILL")));
    directory.remove();
  };
  try {
    for (let i = 0; i < count; i++) {
      const port = firstPort === undefined ? await freePort(count > 1 ? [busDistance] : []) : firstPort + i;
      await wantFreePorts([port]);
      nodes.push(startNode(directory, port, options));
    }
    await Promise.all(nodes.map((node) => node.ready()));
    const clients = count > 1 ? nodes.map(({ port }) => openSetupClient(port)) : [];
    try {
      if (count > 1) await joinRedisCluster(nodes, clients);
    } finally {
      for (const client of clients) client.disconnect();
    }
    return { addresses: nodes.map(({ port }) => `127.0.0.1:${port}`), nodes, close };
  } catch (error) {
    await close();
    throw error;
  }
}
