import type { PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import { directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { MembershipView, MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";

type Users = readonly bigint[];

/** The users an entry is for, before presence is asked; at once unless the members of a group must be read first. */
export function targetUsers(entry: PushEntryFields, membership: MembershipViews): Users | Promise<Users> {
  const { conversationId, userIds = [], changes = [], exceptUserId = 0n } = entry;
  if (userIds.length > 0 || conversationId === undefined || conversationId.length === 0) return userIds;
  if (!isGroupId(conversationId)) return directReaders(conversationId, exceptUserId);
  const view = changes.length > 0 ? undefined : membership.get(conversationId);
  return view === undefined ? loadReaders(entry, conversationId, membership) : groupReaders(entry, view);
}

async function loadReaders(
  entry: PushEntryFields,
  conversationId: Uint8Array,
  membership: MembershipViews,
): Promise<Users> {
  const { changes = [], firstSeq = 0 } = entry;
  if (changes.length > 0) await membership.apply(conversationId, firstSeq, changes);
  return groupReaders(entry, membership.get(conversationId) ?? (await membership.load(conversationId)));
}

function groupReaders({ firstSeq = 0, exceptUserId = 0n }: PushEntryFields, view: MembershipView): Users {
  // An event that is no message is for the members of now.
  const readers = view.readersAt(firstSeq === 0 ? Number.MAX_SAFE_INTEGER : firstSeq);
  return exceptUserId === 0n ? readers : readers.filter((userId) => userId !== exceptUserId);
}

function directReaders(conversationId: Uint8Array, exceptUserId: bigint): Users {
  const [first, second] = directUsers(conversationId);
  const readers = first === second ? [first] : [first, second];
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
