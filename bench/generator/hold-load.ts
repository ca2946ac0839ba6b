import { LatencyHistogram } from "../support/latency-histogram.ts";
import { createConnectionPool, type MeshConnection } from "../support/mesh-connection.ts";
import { startHeartbeats } from "./idle-load.ts";
import type { HoldLoad, HoldResult } from "./load-config.ts";
import { openConnections } from "./open-connections.ts";
import { wait } from "./traffic-meter.ts";

const stormConcurrency = 256;
const mostRetries = 10;

/** Opens connections, holds them with heartbeats, loses all at once and opens them again; see HoldLoad. */
export async function runHoldLoad({ accounts, connections: count, port, holdMs }: HoldLoad): Promise<HoldResult> {
  const pool = createConnectionPool();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const connections: MeshConnection[] = [];
  const stopHeartbeats = startHeartbeats(connections);
  const owners = Array.from({ length: count }, (_, i) => accounts[i % accounts.length]!);
  let retried = 0;
  const onRetry = (): void => void retried++;
  const retrying = { retries: mostRetries, onRetry };
  const common = { ...retrying, pool, port, accounts: owners, onPacket: () => () => {}, fail: failure.reject };
  try {
    const startMs = performance.now();
    await openConnections({ ...common, onOpen: (connection) => connections.push(connection) });
    const connectsPerSecond = (count * 1_000) / (performance.now() - startMs);
    const cpu = process.cpuUsage();
    await Promise.race([wait(holdMs), failure.promise]);
    const { user, system } = process.cpuUsage(cpu);
    for (const connection of connections.splice(0)) connection.destroy();
    const latencies = new LatencyHistogram();
    const lostMs = performance.now();
    const onOpen = (connection: MeshConnection): void => {
      latencies.record(performance.now() - lostMs);
      connections.push(connection);
    };
    await openConnections({ ...common, onOpen, concurrency: stormConcurrency });
    return {
      connections: count,
      connectsPerSecond,
      generatorCpuSeconds: (user + system) / 1e6,
      retries: retried,
      stormP50Ms: latencies.quantileMs(0.5),
      stormP99Ms: latencies.quantileMs(0.99),
    };
  } finally {
    stopHeartbeats();
    for (const connection of connections) connection.destroy();
    pool.close();
  }
}
