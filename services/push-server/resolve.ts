import type { PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import { directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { MembershipView, MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";

type Users = readonly bigint[];

/** The users an entry is for, before presence is asked; at once unless the members of a group must be read first. */
export function targetUsers(entry: PushEntryFields, membership: MembershipViews): Users | Promise<Users> {
  const { conversationId, userIds = [], changes = [] } = entry;
  if (userIds.length > 0 || conversationId === undefined || conversationId.length === 0) return userIds;
  if (!isGroupId(conversationId)) return directReaders(entry, conversationId);
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

function groupReaders(entry: PushEntryFields, view: MembershipView): Users {
  const { firstSeq = 0 } = entry;
  // An event that is no message is for the members of now.
  return withoutSkipped(entry, view.readersAt(firstSeq === 0 ? Number.MAX_SAFE_INTEGER : firstSeq));
}

function directReaders(entry: PushEntryFields, conversationId: Uint8Array): Users {
  const [first, second] = directUsers(conversationId);
  return withoutSkipped(entry, first === second ? [first] : [first, second]);
}

/** A user of whom one device only is to be skipped stays. */
function withoutSkipped({ exceptUserId = 0n, exceptDeviceId = 0n }: PushEntryFields, users: Users): Users {
  return exceptUserId === 0n || exceptDeviceId !== 0n ? users : users.filter((userId) => userId !== exceptUserId);
}

/**
 * Whether this is the one connection of the device that sent the messages, which knows them. With more connections
 * (browser tabs) nobody can tell which one it was, and all of them get the messages.
 */
function knowsAlready(
  entry: PushEntryFields,
  { userId, deviceId }: PresenceEntry,
  own: readonly PresenceEntry[],
): boolean {
  if (deviceId !== entry.exceptDeviceId || userId !== entry.exceptUserId) return false;
  return own.filter((other) => other.deviceId === deviceId).length === 1;
}

/** Adds the entry's connections to the deliveries of their Login processes. Answers how many devices it reaches. */
export function addDeliveries(
  byLogin: Map<string, Delivery[]>,
  entry: PushEntryFields,
  presences: readonly (readonly PresenceEntry[])[],
): number {
  const { onlyDeviceId = 0n } = entry;
  const connections = new Map<string, bigint[]>();
  let devices = 0;
  for (const presence of presences) {
    for (const target of presence) {
      const { deviceId, loginId, connectionId } = target;
      if ((onlyDeviceId !== 0n && deviceId !== onlyDeviceId) || knowsAlready(entry, target, presence)) continue;
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
  const { svid, cmd, payload, conversationId, firstSeq = 0, lastSeq = 0, traced = [] } = entry;
  if (lastSeq === 0 || conversationId === undefined) return { connectionIds, svid, cmd, payload };
  const delivery = { connectionIds, svid, cmd, payload, conversationId, lastSeq, firstSeq };
  return traced.length === 0 ? delivery : { ...delivery, traced };
}
