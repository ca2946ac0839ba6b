/**
 * Presence on a real redis-server: `node bench/presence.ts [--sessions=100000]`. Changes and look-ups per core of
 * Redis, memory per entry, and what idle sessions cost: leases against a key that each heartbeat sets again.
 */
import { parseArgs } from "node:util";
import { startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { createRedisPresence } from "@chappe/mesh/engines/redis-presence/redis-presence.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { idleWithHeartbeats, idleWithLeases } from "./presence/idle-commands.ts";
import { measureRates } from "./presence/measure-rates.ts";
import { entriesOf, loginIdsFor } from "./presence/presence-load.ts";
import { createRedisMeter } from "./presence/redis-meter.ts";

const defaultSessions = 100_000;
/** Sweeps are asked for, so that a virtual second has its one. */
const idleSweepMs = 3_600_000;

const { values } = parseArgs({ options: { sessions: { type: "string", default: String(defaultSessions) } } });
const sessions = Number(values.sessions);
const startMs = performance.now();
const servers = await startRedis({ nodes: 1 });
const meter = createRedisMeter(servers.nodes[0]!);
const presence = createRedisPresence({ addresses: servers.addresses, sweepMs: idleSweepMs });
try {
  let heard = 0;
  presence.watch((changes) => {
    heard += changes.length;
  });
  const loginIds = loginIdsFor(sessions);
  const entries = entriesOf(sessions, loginIds);
  await meter.reset();
  const rates = await measureRates(meter, presence, entries);
  await meter.reset();
  const leases = await idleWithLeases(meter, presence, entries);
  await meter.reset();
  const heartbeats = await idleWithHeartbeats(meter, entries);
  const ratio = (naive: number, ours: number): number => Math.round((naive * 10) / ours) / 10;
  const figures = {
    scenario: "presence",
    sessions,
    logins: loginIds.length,
    sessionsPerBatch: limits.maxSessionsPerBatch,
    ...rates,
    changesHeard: heard,
    idle: { leases, heartbeats },
    fewerRequests: ratio(heartbeats.requestsPerMinute, leases.requestsPerMinute),
    fewerCommands: ratio(heartbeats.commandsPerMinute, leases.commandsPerMinute),
    lessRedisCpu: ratio(heartbeats.redisCpuMsPerMinute, leases.redisCpuMsPerMinute),
    runSeconds: Math.round((performance.now() - startMs) / 100) / 10,
  };
  console.log(JSON.stringify(figures));
} finally {
  meter.close();
  await presence.close();
  await servers.close();
}
