import { limits } from "@chappe/mesh/limits.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { batchesOf, pipelined, registerAll } from "./presence-load.ts";
import { type CommandCalls, type RedisMeter, totalCalls } from "./redis-meter.ts";

/** What idle sessions cost Redis in one minute. */
export interface IdleCost {
  readonly sessions: number;
  /** Minutes whose work was done; the clock is virtual, the commands are not. */
  readonly virtualMinutes: number;
  /** All commands that Redis ran, those inside scripts included, a minute and 100,000 sessions. */
  readonly commandsPerMinute: number;
  /** Commands that came over the network, a minute and 100,000 sessions. */
  readonly requestsPerMinute: number;
  readonly redisCpuMsPerMinute: number;
  readonly calls: CommandCalls;
}

const minuteMs = 60_000;
const sessionsOfFigure = 100_000;
/** Longer than virtual time may stand still on a busy machine; the lease is renewed as often as a real one. */
const leaseMs = 60_000;
/** Sign of life of the naive way: as often as clients beat, gone as late as Login gives up a silent one. */
const naiveExpirySeconds = limits.heartbeatTimeoutMs / 1_000;
const naiveMinutes = 1;

/** The commands that presence's two scripts run: 2 for a lease (GET, SET), 3 for a session (EXISTS, HSET, PEXPIRE). */
function insideScripts({ evalsha = 0, eval: first = 0, hset = 0, hlen = 0 }: CommandCalls): number {
  const sessions = hset;
  const leases = evalsha + first - sessions;
  return 2 * sessions + hlen + 2 * leases;
}

async function costOf(meter: RedisMeter, sessions: number, virtualMinutes: number, work: () => Promise<unknown>) {
  await meter.client.config("RESETSTAT");
  const startCpu = meter.cpuSeconds();
  await work();
  const cpuMs = (meter.cpuSeconds() - startCpu) * 1_000;
  const calls = await meter.commandCalls();
  const each = (count: number): number => Math.round((count * sessionsOfFigure) / (sessions * virtualMinutes));
  return {
    sessions,
    virtualMinutes,
    commandsPerMinute: each(totalCalls(calls)),
    requestsPerMinute: each(totalCalls(calls) - insideScripts(calls)),
    redisCpuMsPerMinute: each(cpuMs),
    calls,
  };
}

/**
 * Leases: each Login renews its own and, once in the time measured, announces its table; the watching process looks for
 * lapsed leases. The announcement is spread over that time, so that its virtual seconds pass at one speed.
 */
export async function idleWithLeases(
  meter: RedisMeter,
  presence: Presence & { sweep(): Promise<void> },
  entries: readonly PresenceEntry[],
): Promise<IdleCost> {
  const loginIds = [...new Set(entries.map(({ loginId }) => loginId))];
  const renew = (): Promise<unknown> =>
    Promise.all(loginIds.map((loginId) => presence.renewLease(loginId, 1, leaseMs)));
  await renew();
  await registerAll(presence, entries);
  const batches = batchesOf(entries, limits.maxSessionsPerBatch);
  const steps = limits.presenceAnnounceMs / limits.presenceLeaseRenewMs;
  const sweepsPerStep = limits.presenceLeaseRenewMs / limits.presenceSweepMs;
  return costOf(meter, entries.length, limits.presenceAnnounceMs / minuteMs, async () => {
    let announced = 0;
    for (let step = 1; step <= steps; step++) {
      await renew();
      for (let i = 0; i < sweepsPerStep; i++) await presence.sweep();
      const due = Math.floor((step * batches.length) / steps);
      for (; announced < due; announced++) await presence.register(batches[announced]!);
    }
  });
}

/** The naive way: each heartbeat of each session sets a key of its own that expires. */
export async function idleWithHeartbeats(meter: RedisMeter, entries: readonly PresenceEntry[]): Promise<IdleCost> {
  const beats = (naiveMinutes * minuteMs) / limits.heartbeatIntervalMs;
  const batches = batchesOf(entries, limits.maxSessionsPerBatch);
  return costOf(meter, entries.length, naiveMinutes, async () => {
    for (let beat = 0; beat < beats; beat++)
      await pipelined(batches, async (batch) => {
        const pipeline = meter.client.pipeline();
        for (const { userId, deviceId, loginId, connectionId } of batch)
          pipeline.set(`online:{${userId}}:${deviceId}`, `${loginId}/${connectionId}`, "EX", naiveExpirySeconds);
        await pipeline.exec();
      });
  });
}
