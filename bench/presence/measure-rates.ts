import { limits } from "@chappe/mesh/limits.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { batchesOf, pipelined, registerAll } from "./presence-load.ts";
import type { RedisMeter } from "./redis-meter.ts";

/** Operations, their time, and what they cost the server. */
export interface Rate {
  readonly operations: number;
  readonly perSecond: number;
  /** Per CPU second of redis-server: what one core of it can do. */
  readonly perRedisCore: number;
  readonly redisMicrosEach: number;
}

/** What measureRates finds. */
export interface PresenceRates {
  readonly registrations: Rate;
  readonly unregistrations: Rate;
  readonly lookups: Rate;
  /** used_memory per entry between `fewEntries` and all of them. */
  readonly bytesPerEntry: number;
}

/** Users of one look-up, as PushServer asks for the members of groups. */
const usersPerLookup = 100;
const lookupRounds = 2;
const fewEntries = 10_000;
/** Longer than any run. */
const leaseMs = 600_000;

async function rateOf(meter: RedisMeter, operations: number, work: () => Promise<unknown>): Promise<Rate> {
  const [startMs, startCpu] = [performance.now(), meter.cpuSeconds()];
  await work();
  const [seconds, cpu] = [(performance.now() - startMs) / 1_000, meter.cpuSeconds() - startCpu];
  return {
    operations,
    perSecond: Math.round(operations / seconds),
    perRedisCore: Math.round(operations / cpu),
    redisMicrosEach: Math.round((cpu * 1e7) / operations) / 10,
  };
}

/** Fills an empty Redis with the entries, asks for each, and takes them away again. `watchers` hear of the changes. */
export async function measureRates(
  meter: RedisMeter,
  presence: Presence,
  entries: readonly PresenceEntry[],
): Promise<PresenceRates> {
  for (const loginId of new Set(entries.map((entry) => entry.loginId))) await presence.renewLease(loginId, 1, leaseMs);
  await registerAll(presence, entries.slice(0, fewEntries));
  const fewBytes = await meter.usedBytes();
  const rest = entries.slice(fewEntries);
  const registrations = await rateOf(meter, rest.length, () => registerAll(presence, rest));
  const bytesPerEntry = ((await meter.usedBytes()) - fewBytes) / rest.length;
  const userIds = batchesOf(
    entries.map(({ userId }) => userId),
    usersPerLookup,
  );
  const questions = Array.from({ length: lookupRounds }, () => userIds).flat();
  let found = 0;
  const lookups = await rateOf(meter, lookupRounds * entries.length, () =>
    pipelined(questions, async (ids) => {
      for (const list of await presence.lookup(ids)) found += list.length;
    }),
  );
  if (found !== lookups.operations) throw new Error(`${found} entries were found, not ${lookups.operations}`);
  const unregistrations = await rateOf(meter, entries.length, () =>
    pipelined(batchesOf(entries, limits.maxSessionsPerBatch), (batch) => presence.unregister(batch)),
  );
  const [left] = await presence.lookup([entries[0]!.userId]);
  if (left!.length > 0) throw new Error("an entry was left");
  return { registrations, unregistrations, lookups, bytesPerEntry: Math.round(bytesPerEntry) };
}
