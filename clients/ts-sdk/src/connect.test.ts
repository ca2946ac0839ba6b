import { DrainSchema, KickedSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { collect, upTo } from "../test-support/collect.ts";
import { fastLimits } from "../test-support/fast-limits.ts";
import { ScriptedServer, type ScriptedServerOptions } from "../test-support/scripted-server.ts";
import type { ChappeClient } from "./client.ts";
import { connect } from "./connect.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { directConversationId } from "./ids.ts";
import { uuidV7TimeMs } from "./uuid-v7.ts";

const conversation = directConversationId(1n, 2n);
let server: ScriptedServer;
let clients: ChappeClient[] = [];

async function start(options: ScriptedServerOptions = {}): Promise<void> {
  server = await ScriptedServer.start(options);
}

async function join(user: number, options: Partial<ConnectOptions> = {}): Promise<ChappeClient> {
  const client = await connect({ url: server.url, token: `user-${user}`, limits: fastLimits, ...options });
  clients.push(client);
  return client;
}

async function statusOf(client: ChappeClient, state: string): Promise<ChappeClient["status"]> {
  for await (const status of client.statusChanges()) if (status.state === state) return status;
  throw new Error(`never ${state}`);
}

beforeEach(() => {
  clients = [];
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
});

describe("a session", () => {
  test("is welcomed, catches up and is online", async () => {
    await start();
    const client = await join(1);
    expect(client.userId).toBe(1n);
    expect((await statusOf(client, "online")).state).toBe("online");
    expect(server.requests.slice(0, 2)).toEqual(["Hello", "ListHeads"]);
  });

  test("makes ids in the server's time", async () => {
    await start({ clockSkewMs: -86_400_000 });
    const client = await join(1);
    const handle = client.send(conversation, { text: "hello" });
    const skewMs = uuidV7TimeMs(handle.clientMessageId) - (Date.now() - 86_400_000);
    expect(Math.abs(skewMs)).toBeLessThan(60_000);
  });

  test("gives the resume token back when it comes again", async () => {
    await start();
    const client = await join(1);
    await statusOf(client, "online");
    for (const connection of server.connections) connection.close(1001);
    await statusOf(client, "offline");
    await statusOf(client, "online");
    expect(server.resumeTokens).toEqual(["", "010203"]);
  });

  test("fetches a new token when the old one has ended, then reconnects", async () => {
    await start();
    const reasons: string[] = [];
    const client = await join(1, {
      getToken: (reason) => {
        reasons.push(reason);
        return reason === "connect" ? "ended" : "user-1-fresh";
      },
    });
    await statusOf(client, "online");
    expect(reasons).toEqual(["connect", "expired"]);
    expect(server.tokens).toEqual(["ended", "user-1-fresh"]);
  });

  test("puts a fresh token into a heartbeat before the old one ends", async () => {
    await start({ tokenTtlMs: 200 });
    const reasons: string[] = [];
    const refreshed = Promise.withResolvers<void>();
    await join(1, {
      getToken: (reason) => {
        reasons.push(reason);
        if (reasons.length === 3) refreshed.resolve();
        return `user-1-${reasons.length}`;
      },
    });
    await refreshed.promise;
    expect(reasons).toEqual(["connect", "refresh", "refresh"]);
    expect(server.tokens.slice(0, 2)).toEqual(["user-1-1", "user-1-2"]);
  });

  test.each([4005, 4006])("never comes back after close code %i", async (code) => {
    await start();
    const client = await join(1);
    await statusOf(client, "online");
    const status = statusOf(client, "closed");
    for (const connection of server.connections) connection.close(code);
    expect(await status).toMatchObject({ state: "closed", reason: expect.any(Error) });
    expect(() => client.send(conversation, { text: "late" })).toThrowError(/closed/);
  });

  test("a refused fixed token ends the attempt", async () => {
    await start();
    await expect(join(1, { token: "ended" })).rejects.toMatchObject({ name: "UNAUTHENTICATED" });
  });

  test("believes what Kicked said when the close code is lost", async () => {
    await start();
    const client = await join(1);
    await statusOf(client, "online");
    const kicks = client.events(KickedSchema);
    for (const connection of server.connections) {
      connection.push(KickedSchema, { closeCode: 4006, reason: "another device" });
    }
    expect((await kicks.next()).value).toMatchObject({ reason: "another device" });
    for (const connection of server.connections) connection.close();
    const status = await statusOf(client, "closed");
    expect(status).toMatchObject({ reason: { name: "WRONG_STATE", message: "another device" } });
  });

  test("comes back at the time a draining server names", async () => {
    await start();
    const client = await join(1);
    await statusOf(client, "online");
    for (const connection of server.connections) connection.push(DrainSchema, { reconnectAfterMs: 30 });
    const status = await statusOf(client, "offline");
    expect(status).toMatchObject({ retryInMs: expect.toSatisfy((ms: number) => ms >= 0 && ms <= 30) });
    await statusOf(client, "online");
  });

  test("starts without a server when the user is known, and sends when it is there", async () => {
    await start();
    const { url, port } = server;
    await server.close();
    const client = await connect({ url, token: "user-1", userId: 1n, limits: fastLimits });
    clients.push(client);
    const handle = client.send(conversation, { text: "later" });
    await statusOf(client, "offline");
    expect(client.pending).toEqual([handle]);
    server = await ScriptedServer.start({}, port);
    expect(await handle.sequenced).toEqual({ seq: 1 });
  });

  test("ends when the token is another user's than the outbox", async () => {
    await start();
    const client = await join(1, { userId: 2n });
    expect(await statusOf(client, "closed")).toMatchObject({ reason: { name: "WRONG_STATE" } });
  });

  test("gives up the first connection in the time named, or when told", async () => {
    await start();
    server.faults = { request: () => "ignore" };
    await expect(join(1, { timeoutMs: 20 })).rejects.toMatchObject({ name: "DEADLINE_EXCEEDED" });
    await expect(join(1, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({ name: "CANCELLED" });
  });
});

describe("a send", () => {
  test("goes from waiting to read", async () => {
    await start();
    const alice = await join(1);
    const handle = alice.send(conversation, { text: "hello" });
    expect(handle.state).toBe("waiting");
    await handle.durable;
    expect(await handle.sequenced).toEqual({ seq: 1 });
    const { ReceiptSchema } = await import("@chappe/gen/proto/chappe/msg/v1/message_pb.ts");
    const receipt = (delivered: bigint, read: bigint, userId = 2n): void => {
      for (const connection of server.connections)
        connection.push(ReceiptSchema, {
          conversationId: conversation,
          userId,
          deliveredSeq: delivered,
          readSeq: read,
        });
    };
    receipt(5n, 5n, 1n);
    receipt(1n, 0n);
    await handle.delivered;
    expect(handle.state).toBe("delivered");
    receipt(1n, 1n);
    await handle.read;
    expect(handle.state).toBe("read");
  });

  test("is seen by its own application and by the other user, once and in order", async () => {
    await start();
    const [alice, bob] = [await join(1), await join(2)];
    const [seenByAlice, seenByBob] = [collect(alice), collect(bob)];
    for (const n of upTo(20)) alice.send(conversation, { text: `a${n}` });
    for (const n of upTo(20)) bob.send(conversation, { text: `b${n}` });
    await Promise.all([seenByAlice.reached(conversation, 40), seenByBob.reached(conversation, 40)]);
    expect(seenByAlice.seqs(conversation)).toEqual(upTo(40));
    expect(seenByBob.seqs(conversation)).toEqual(upTo(40));
    const texts = seenByBob.all.filter((message) => message.own).map((message) => message.text);
    expect(texts).toEqual(upTo(20).map((n) => `b${n}`));
  });

  test("waits while another of its conversation is in flight, then travels packed", async () => {
    await start();
    const client = await join(1);
    const handles = upTo(100).map((n) => client.send(conversation, { text: `${n}` }));
    await Promise.all(handles.map((handle) => handle.sequenced));
    expect(server.sends.length).toBe(2);
    expect(handles.map((handle) => handle.seq)).toEqual(upTo(100));
  });

  test("is refused at once when the outbox is full", async () => {
    await start();
    const client = await join(1, { limits: { ...fastLimits, maxOutboxMessages: 1 } });
    const first = client.send(conversation, { text: "1" });
    expect(() => client.send(conversation, { text: "2" })).toThrowError(
      expect.objectContaining({ name: "OVERLOADED" }),
    );
    await first.sequenced;
    await client.send(conversation, { text: "2" }).sequenced;
  });

  test("names the field of bad content", async () => {
    await start();
    const client = await join(1);
    const error = expect.objectContaining({
      name: "INVALID_ARGUMENT",
      violations: [expect.objectContaining({ field: "text" })],
    });
    expect(() => client.send(conversation, { text: "" })).toThrowError(error);
    expect(() => client.send("12", { text: "x" })).toThrowError(expect.objectContaining({ name: "INVALID_ARGUMENT" }));
  });

  test("can be taken back before it was sent", async () => {
    await start();
    const client = await join(1);
    const controller = new AbortController();
    const first = client.send(conversation, { text: "1" });
    const second = client.send(conversation, { text: "2" }, { signal: controller.signal });
    controller.abort();
    await expect(second.sequenced).rejects.toMatchObject({ name: "CANCELLED" });
    await first.sequenced;
    expect(server.conversation(conversation).head).toBe(1);
  });
});
