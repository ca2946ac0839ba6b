import type { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";

/** A session as the device policy sees it, wherever it is. */
export interface RankedSession {
  readonly loginId: string;
  readonly connectionId: bigint;
  readonly deviceId: bigint;
  readonly deviceClass: DeviceClass;
  readonly openedTimeMs: number;
}

/** Newest first: one order for all processes, so that they judge alike without asking each other. */
function byAge(a: RankedSession, b: RankedSession): number {
  if (a.openedTimeMs !== b.openedTimeMs) return b.openedTimeMs - a.openedTimeMs;
  if (a.loginId !== b.loginId) return a.loginId < b.loginId ? 1 : -1;
  return a.connectionId < b.connectionId ? 1 : -1;
}

/**
 * The open sessions of one user that have to go: in a single class those of other devices than the newest one, and of a
 * device the oldest above the limit. Who loses among some of the sessions loses among more of them too.
 */
export function outranked<S extends RankedSession>(
  sessions: readonly S[],
  maxPerDevice: number,
  singleClasses: ReadonlySet<DeviceClass>,
): S[] {
  const deviceOfClass = new Map<DeviceClass, bigint>();
  const connectionsOf = new Map<bigint, number>();
  return sessions.toSorted(byAge).filter(({ deviceId, deviceClass }) => {
    const newest = deviceOfClass.get(deviceClass) ?? deviceId;
    deviceOfClass.set(deviceClass, newest);
    if (singleClasses.has(deviceClass) && newest !== deviceId) return true;
    const connections = (connectionsOf.get(deviceId) ?? 0) + 1;
    connectionsOf.set(deviceId, connections);
    return connections > maxPerDevice;
  });
}
