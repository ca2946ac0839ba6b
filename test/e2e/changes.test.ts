import { GroupChangedSchema, GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { UserChangedSchema, UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { type ChappeClient, connect, register } from "@chappe/sdk/src/index.ts";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let server: TestServer;
const clients: ChappeClient[] = [];
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await server.close();
});

async function signUp(name: string): Promise<ChappeClient> {
  const tokens = await register({ url: server.url, name, password: "correct horse" });
  const client = await connect({ url: server.url, token: tokens.accessToken });
  clients.push(client);
  return client;
}

async function first<T>(events: AsyncIterable<T>): Promise<T> {
  for await (const event of events) return event;
  throw new Error("the stream has ended");
}

test("members learn of a new title, as an event and when they ask; others may not change it", async () => {
  const [ann, ben, cy] = [await signUp("ann"), await signUp("ben"), await signUp("cy")];
  const groups = createClient(GroupService, ann.transport);
  const { group } = await groups.createGroup({ title: "old", memberIds: [ben.userId] });
  const conversationId = group!.conversationId;
  const told = [ann, ben].map((client) => first(client.events(GroupChangedSchema)));
  const { version } = await groups.updateGroup({ conversationId, title: "new" });
  expect(version).toBe(2n);
  for (const event of await Promise.all(told)) expect(event).toMatchObject({ title: "new", version, conversationId });
  const bens = createClient(GroupService, ben.transport);
  expect((await bens.listGroups({})).groups).toMatchObject([{ title: "new", version }]);
  await expect(bens.updateGroup({ conversationId, title: "x" })).rejects.toThrow(/PERMISSION_DENIED|permission/i);
  await expect(createClient(GroupService, cy.transport).updateGroup({ conversationId, title: "x" })).rejects.toThrow();
  await expect(groups.updateGroup({ conversationId, title: "" })).rejects.toThrow(/title/);
});

test("who shares a conversation learns of a new name, and so do the user's own devices", async () => {
  const [dan, eve, fay] = [await signUp("dan"), await signUp("eve"), await signUp("fay")];
  await createClient(GroupService, dan.transport).createGroup({ title: "two", memberIds: [eve.userId] });
  const strangers: unknown[] = [];
  void (async () => {
    for await (const event of fay.events(UserChangedSchema)) strangers.push(event);
  })();
  const told = [dan, eve].map((client) => first(client.events(UserChangedSchema)));
  const users = createClient(UserService, dan.transport);
  const { profileVersion } = await users.updateProfile({ displayName: "Dan é" });
  for (const event of await Promise.all(told))
    expect(event).toMatchObject({ userId: dan.userId, displayName: "Dan é", profileVersion });
  const asked = await createClient(UserService, fay.transport).getUsers({ names: ["dan"] });
  expect(asked.users).toMatchObject([{ displayName: "Dan é", profileVersion: 2n }]);
  expect((await users.updateProfile({ displayName: "Dan é" })).profileVersion).toBe(2n);
  expect(strangers).toEqual([]);
});
