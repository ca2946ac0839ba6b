import { directConversationId } from "@chappe/mesh/ids/conversation-id.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";
import { expect, it } from "vitest";
import { addDeliveries, targetUsers } from "./resolve.ts";

const conversationId = directConversationId(1n, 2n);
const address = { svid: 10, cmd: 101, payload: Uint8Array.of(1) };
const noGroups = {} as MembershipViews;
const connection = (userId: bigint, deviceId: bigint, connectionId: bigint): PresenceEntry => ({
  userId,
  deviceId,
  loginId: "login",
  loginEpoch: 1,
  connectionId,
});
const reached = (entry: Parameters<typeof addDeliveries>[1], presences: readonly (readonly PresenceEntry[])[]) => {
  const byLogin = new Map<string, Delivery[]>();
  addDeliveries(byLogin, entry, presences);
  return [...byLogin.values()].flat().flatMap((delivery) => delivery.connectionIds);
};

it("is for both users of a direct conversation, once when they are the same", () => {
  expect(targetUsers({ ...address, conversationId }, noGroups)).toEqual([1n, 2n]);
  expect(targetUsers({ ...address, conversationId: directConversationId(3n, 3n) }, noGroups)).toEqual([3n]);
});

it("skips a user, but not one of whom a single device is to be skipped", () => {
  expect(targetUsers({ ...address, conversationId, exceptUserId: 2n }, noGroups)).toEqual([1n]);
  expect(targetUsers({ ...address, conversationId, exceptUserId: 2n, exceptDeviceId: 9n }, noGroups)).toEqual([1n, 2n]);
});

it("skips the sending device of the sender, not the same installation of somebody else", () => {
  const entry = { ...address, conversationId, exceptUserId: 1n, exceptDeviceId: 9n };
  const presences = [[connection(1n, 9n, 11n), connection(1n, 8n, 12n)], [connection(2n, 9n, 21n)]];
  expect(reached(entry, presences)).toEqual([12n, 21n]);
});

it("reaches every tab when the sending device has several connections", () => {
  const entry = { ...address, conversationId, exceptUserId: 1n, exceptDeviceId: 9n };
  expect(reached(entry, [[connection(1n, 9n, 11n), connection(1n, 9n, 12n)], []])).toEqual([11n, 12n]);
});

it("reaches only the device named", () => {
  const entry = { ...address, userIds: [1n], onlyDeviceId: 8n };
  expect(reached(entry, [[connection(1n, 9n, 11n), connection(1n, 8n, 12n)]])).toEqual([12n]);
});
