import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { PresenceChangedSchema, PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import {
  type ChappeClient,
  type ConnectOptions,
  connect,
  createTokenSource,
  directConversationId,
  register,
  signIn,
  type Tokens,
} from "@chappe/sdk/src/index.ts";
import { createFileOutbox } from "@chappe/sdk/src/node.ts";
import { collect, upTo } from "@chappe/sdk/test-support/collect.ts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
const password = "correct horse";

let folder: string;
let server: ServerProcess;
let url: string;
let users = 0;
const open: ChappeClient[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "chappe-sdk-"));
  server = await startServer({ dataDir: join(folder, "data"), env });
  url = `http://127.0.0.1:${server.port}`;
});
afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const newUser = (): Promise<Tokens> => register({ url, name: `user-${users++}`, password });
async function client(tokens: Tokens, options: Partial<ConnectOptions> = {}): Promise<ChappeClient> {
  const limits = { reconnectMaxMs: 500 };
  const made = await connect({ url, getToken: createTokenSource({ url, tokens }), limits, ...options });
  open.push(made);
  return made;
}
/** Two users with a client each. */
async function pair() {
  const [first, second] = [await newUser(), await newUser()];
  const [a, b] = [await client(first), await client(second)];
  return { a, b, first, second, direct: directConversationId(first.userId, second.userId) };
}
async function restart(): Promise<void> {
  const { port } = server;
  await server.kill();
  server = await startServer({ dataDir: join(folder, "data"), port, env });
}
async function until(one: ChappeClient, state: string): Promise<void> {
  for await (const status of one.statusChanges()) if (status.state === state) return;
}

describe("accounts", () => {
  it("are made once, and need their password", async () => {
    await register({ url, name: "once", password });
    await expect(register({ url, name: "once", password })).rejects.toMatchObject({ name: "ALREADY_EXISTS" });
    await expect(signIn({ url, name: "once", password: "wrong horse" })).rejects.toMatchObject({
      name: "WRONG_CREDENTIALS",
    });
    const refused = register({ url, name: "Not A Name", password });
    await expect(refused).rejects.toMatchObject({ name: "INVALID_ARGUMENT", violations: [{ field: "name" }] });
    expect((await signIn({ url, name: "once", password })).userId).toBeGreaterThan(0n);
  });
});

describe("an invisible client", () => {
  it("is not seen by others, gets its messages, and stays hidden over a new connection", async () => {
    const [first, second] = [await newUser(), await newUser()];
    const [a, b] = [await client(first), await client(second, { invisible: true })];
    const presence = a.call(PresenceService);
    const userIds = [second.userId];
    const changes = a.events(PresenceChangedSchema);
    const nextChange = async () => (await changes.next()).value?.presences[0]?.online;
    const isSeen = async () => (await presence.getPresence({ userIds })).presences[0]!.online;
    expect((await presence.watchPresence({ userIds })).presences).toMatchObject([{ online: false }]);

    await a.send(directConversationId(first.userId, second.userId), { text: "are you there?" }).delivered;
    await b.setInvisible(false);
    expect(await isSeen()).toBe(true);
    expect(await nextChange()).toBe(true);
    await b.setInvisible(true);
    expect(await isSeen()).toBe(false);
    expect(await nextChange()).toBe(false);

    await restart();
    await Promise.all([a, b].map((one) => until(one, "online")));
    expect(await isSeen()).toBe(false);
    const other = await client(second);
    expect(await isSeen()).toBe(true);
    await other.close();
  });
});

describe("a send", () => {
  it("is durable, sequenced, delivered and read, in that order", async () => {
    const { a, b, direct } = await pair();
    const seen = collect(b);
    const send = a.send(direct, { text: "hi" });
    const reached: string[] = [];
    const note = (what: string) => () => void reached.push(what);
    const milestones = [
      send.durable.then(note("durable")),
      send.sequenced.then(note("sequenced")),
      send.delivered.then(note("delivered")),
      send.read.then(note("read")),
    ];
    expect(await send.sequenced).toEqual({ seq: 1 });
    await seen.reached(direct, 1);
    expect(seen.all[0]).toMatchObject({ seq: 1, text: "hi", own: false, senderId: a.userId });
    await send.delivered;
    expect(send.state).toBe("delivered");
    await b.conversation(direct).markRead(1);
    await Promise.all(milestones);
    expect(reached).toEqual(["durable", "sequenced", "delivered", "read"]);
  });

  it("of a thousand is shown to both in the same order, each sender's own order kept", async () => {
    const { a, b, direct } = await pair();
    const [seenByA, seenByB] = [collect(a), collect(b)];
    const sends = upTo(1_000).map((n) => (n % 2 === 0 ? a : b).send(direct, { text: String(n) }));
    await Promise.all(sends.map((send) => send.sequenced));
    await Promise.all([seenByA.reached(direct, 1_000), seenByB.reached(direct, 1_000)]);
    expect(seenByA.seqs(direct)).toEqual(upTo(1_000));
    const texts = seenByB.all.map(({ text }) => Number(text));
    expect(seenByA.all.map(({ text }) => Number(text))).toEqual(texts);
    for (const rest of [0, 1]) {
      const own = texts.filter((n) => n % 2 === rest);
      expect(own).toEqual([...own].sort((x, y) => x - y));
    }
  });

  it("to a group reaches its members; to one that the sender is not in it is refused, and the next goes out", async () => {
    const { a, b, direct } = await pair();
    const outsider = await client(await newUser());
    const { group } = await a.call(GroupService).createGroup({ title: "Two", memberIds: [b.userId] });
    const id = group!.conversationId;
    const [seenByA, seenByB] = [collect(a), collect(b)];
    expect(await b.send(id, { text: "in the group" }).sequenced).toEqual({ seq: 2 });
    await Promise.all([seenByA.reached(id, 2), seenByB.reached(id, 2)]);
    expect(seenByA.seqs(id)).toEqual([1, 2]);
    await expect(outsider.send(id, { text: "no" }).sequenced).rejects.toMatchObject({ name: "NOT_A_MEMBER" });
    await expect(outsider.send(direct, { text: "no" }).sequenced).rejects.toMatchObject({ name: "NOT_A_MEMBER" });
    const own = directConversationId(outsider.userId, a.userId);
    expect(await outsider.send(own, { text: "yes" }).sequenced).toEqual({ seq: 1 });
  });
});

describe("a server that is killed and started again", () => {
  it("gets what was in flight and what was written meanwhile, once and in order, and shows all of it", async () => {
    const { a, b, direct, first } = await pair();
    const [seenByA, seenByB] = [collect(a), collect(b)];
    await a.send(direct, { text: "0" }).sequenced;
    const inFlight = upTo(200).map((n) => a.send(direct, { text: String(n) }));
    const restarted = restart();
    await until(a, "offline");
    const meanwhile = upTo(50).map((n) => a.send(direct, { text: String(200 + n) }));
    await restarted;
    const places = await Promise.all([...inFlight, ...meanwhile].map((send) => send.sequenced));
    expect(places.map(({ seq }) => seq)).toEqual(upTo(250).map((n) => n + 1));
    await Promise.all([seenByA.reached(direct, 251), seenByB.reached(direct, 251)]);
    for (const seen of [seenByA, seenByB]) {
      expect(seen.seqs(direct)).toEqual(upTo(251));
      expect(seen.all.map(({ text }) => Number(text))).toEqual([0, ...upTo(250)]);
    }
    await Promise.all([until(a, "online"), until(b, "online")]);

    const fresh = await client(first);
    const caughtUp = collect(fresh);
    await caughtUp.reached(direct, 251);
    expect(caughtUp.seqs(direct)).toEqual(upTo(251));
  });

  it("gets what a client of another run had in its outbox", async () => {
    const { a, b, direct, first } = await pair();
    await a.close();
    const path = join(folder, "outbox");
    const limits = { reconnectMaxMs: 500 };
    const getToken = createTokenSource({ url, tokens: first });
    const { port } = server;
    await server.kill();
    const offline = await connect({ url, getToken, limits, userId: first.userId, outbox: createFileOutbox({ path }) });
    const lost = upTo(5).map((n) => offline.send(direct, { text: `kept ${n}` }));
    const ends = lost.map((send) => expect(send.sequenced).rejects.toMatchObject({ name: "CANCELLED" }));
    await until(offline, "offline");
    await offline.close();
    await Promise.all(ends);
    server = await startServer({ dataDir: join(folder, "data"), port, env });
    const seen = collect(b);
    const next = await client(first, { getToken, outbox: createFileOutbox({ path }) });
    expect(next.pending.map(({ state }) => state)).not.toContain("failed");
    await seen.reached(direct, 5);
    expect(seen.all.map(({ text }) => text)).toEqual(upTo(5).map((n) => `kept ${n}`));
  });
});
