import { limits } from "@chappe/mesh/limits.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";

/** Calls in flight at once: enough that the server always has work, few enough that nothing queues up. */
const callsInFlight = 4;
/** Ids as large as real ones, which are timestamps with a tail: their length is part of an entry. */
const firstUserId = 1_180_591_620_717_411n;
const firstDeviceId = 7_205_759_403_792_793n;
const firstConnectionId = 281_474_976_710n;
/** Stride between ids that no pattern of the server's hash tables favours. */
const idStride = 104_729n;

/** Login processes that hold so many sessions, each as full as it may be. */
export function loginIdsFor(sessions: number): readonly string[] {
  const count = Math.ceil(sessions / limits.maxConnections);
  return Array.from({ length: count }, (_, i) => `login-${String(i + 1).padStart(4, "0")}`);
}

/** Sessions, one a user, evenly among the Login processes. */
export function entriesOf(sessions: number, loginIds: readonly string[]): readonly PresenceEntry[] {
  return Array.from({ length: sessions }, (_, i) => ({
    userId: firstUserId + BigInt(i) * idStride,
    deviceId: firstDeviceId + BigInt(i) * idStride,
    loginId: loginIds[Math.floor((i * loginIds.length) / sessions)]!,
    loginEpoch: 1,
    connectionId: firstConnectionId + BigInt(i),
  }));
}

/** Slices of `size`. */
export function batchesOf<T>(items: readonly T[], size: number): T[][] {
  const batches: T[][] = [];
  for (let at = 0; at < items.length; at += size) batches.push(items.slice(at, at + size));
  return batches;
}

/** Does the work for all batches, a few at a time. */
export async function pipelined<T>(batches: readonly T[], work: (batch: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < batches.length) await work(batches[next++]!);
  };
  await Promise.all(Array.from({ length: callsInFlight }, lane));
}

/** Registers all, in batches as a Login process sends them. */
export function registerAll(presence: Presence, entries: readonly PresenceEntry[]): Promise<void> {
  return pipelined(batchesOf(entries, limits.maxSessionsPerBatch), (batch) => presence.register(batch));
}
