import type { PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";

/** The users an entry is for, before presence is asked. */
export async function targetUsers(entry: PushEntryFields, membership: MembershipViews): Promise<readonly bigint[]> {
  const { conversationId, userIds = [], changes = [], firstSeq = 0, exceptUserId = 0n } = entry;
  if (userIds.length > 0 || conversationId === undefined || conversationId.length === 0) return userIds;
  if (changes.length > 0) await membership.apply(conversationId, firstSeq, changes);
  const view = membership.get(conversationId) ?? (await membership.load(conversationId));
  // An event that is no message is for the members of now.
  const readers = view.readersAt(firstSeq === 0 ? Number.MAX_SAFE_INTEGER : firstSeq);
  return exceptUserId === 0n ? readers : readers.filter((userId) => userId !== exceptUserId);
}

/** Adds the entry's connections to the deliveries of their Login processes. Answers how many devices it reaches. */
export function addDeliveries(
  byLogin: Map<string, Delivery[]>,
  entry: PushEntryFields,
  presences: readonly (readonly PresenceEntry[])[],
): number {
  const { onlyDeviceId = 0n, exceptDeviceId = 0n } = entry;
  const connections = new Map<string, bigint[]>();
  let devices = 0;
  for (const presence of presences) {
    for (const { deviceId, loginId, connectionId } of presence) {
      if (deviceId === exceptDeviceId || (onlyDeviceId !== 0n && deviceId !== onlyDeviceId)) continue;
      const ids = connections.get(loginId);
      if (ids === undefined) connections.set(loginId, [connectionId]);
      else ids.push(connectionId);
      devices++;
    }
  }
  for (const [loginId, connectionIds] of connections) {
    const deliveries = byLogin.get(loginId);
    const delivery = toDelivery(entry, connectionIds);
    if (deliveries === undefined) byLogin.set(loginId, [delivery]);
    else deliveries.push(delivery);
  }
  return devices;
}

function toDelivery(entry: PushEntryFields, connectionIds: readonly bigint[]): Delivery {
  const { svid, cmd, payload, conversationId, lastSeq = 0 } = entry;
  if (lastSeq === 0 || conversationId === undefined) return { connectionIds, svid, cmd, payload };
  return { connectionIds, svid, cmd, payload, conversationId, lastSeq };
}
