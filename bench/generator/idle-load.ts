import { createConnectionPool, type MeshConnection } from "../support/mesh-connection.ts";
import { addresses, encodeRequest } from "../support/packets.ts";
import { rssKibOf } from "../support/process-usage.ts";
import type { IdleLoad, IdleResult } from "./load-config.ts";
import { openConnections } from "./open-connections.ts";
import { wait } from "./traffic-meter.ts";

const heartbeatIntervalMs = 30_000;
const heartbeatTickMs = 100;
const settleMs = 4_000;
const readings = 10;
const readingIntervalMs = 500;

/** The lowest of some readings: garbage that waits for collection is not what connections cost. */
async function settledRssKib(pid: number, failed: Promise<never>): Promise<number> {
  await Promise.race([wait(settleMs), failed]);
  let lowest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < readings; i++) {
    await Promise.race([wait(readingIntervalMs), failed]);
    lowest = Math.min(lowest, rssKibOf(pid));
  }
  return lowest;
}

/** Sends each connection's heartbeat every 30 s, a share of them at each tick; their list may grow. Answers the stop. */
export function startHeartbeats(connections: readonly MeshConnection[]): () => void {
  const heartbeat = encodeRequest(addresses.heartbeat, 2, new Uint8Array(0));
  let due = 0;
  let next = 0;
  const timer = setInterval(() => {
    due += (connections.length * heartbeatTickMs) / heartbeatIntervalMs;
    for (; due >= 1; due--) {
      if (next >= connections.length) next = 0;
      connections[next++]?.append(heartbeat);
    }
  }, heartbeatTickMs);
  return () => clearInterval(timer);
}

/** Connections that only keep alive; see IdleLoad. */
export async function runIdleLoad({ accounts, port, serverPid, firstConnections }: IdleLoad): Promise<IdleResult> {
  const pool = createConnectionPool();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const connections: MeshConnection[] = [];
  const stopHeartbeats = startHeartbeats(connections);
  const open = async (from: number, to: number): Promise<void> => {
    const some = { pool, port, accounts: accounts.slice(from, to), onPacket: () => () => {}, fail: failure.reject };
    await openConnections({ ...some, onOpen: (connection) => connections.push(connection) });
  };
  try {
    await open(0, firstConnections);
    const firstRssKib = await settledRssKib(serverPid, failure.promise);
    const startMs = performance.now();
    await open(firstConnections, accounts.length);
    const connectsPerSecond = (accounts.length - firstConnections) / ((performance.now() - startMs) / 1_000);
    const rssKib = await settledRssKib(serverPid, failure.promise);
    return { connections: connections.length, firstConnections, firstRssKib, rssKib, connectsPerSecond };
  } finally {
    stopHeartbeats();
    for (const connection of connections) connection.destroy();
    pool.close();
  }
}
