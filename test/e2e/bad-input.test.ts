import { create, toBinary } from "@bufbuild/protobuf";
import { HelloRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketBatchSchema, PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { expectServes, readTexts } from "../support/good-message.ts";
import { directId, type HttpUser, messageId, registerUser } from "../support/http-user.ts";
import { errorOf, openSession, openSocket, type SocketClient } from "../support/socket-client.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let server: TestServer;
let alice: HttpUser;
let bob: HttpUser;
let eve: HttpUser;
/** Must keep working whatever happens to others. */
let bystander: SocketClient;
let kept: string[];
let nextId = 1_000;

beforeAll(async () => {
  server = await startTestServer();
  [alice, bob, eve] = (await Promise.all(["alice", "bob", "eve"].map((name) => registerUser(server.url, name)))) as [
    HttpUser,
    HttpUser,
    HttpUser,
  ];
  bystander = await openSession(server.url, bob.token, 7n);
  await expectServes(alice, bob);
});
afterAll(() => server.close());
beforeEach(async () => {
  kept = await readTexts(bob, alice);
});
/** Nothing that was there is gone, nothing came in by the way, and a good message still goes through. */
afterEach(async () => {
  expect(await readTexts(bob, alice)).toEqual(kept);
  expect((await call(bystander, 1, 2, new Uint8Array(0))).kind).toBe(PacketKind.RESPONSE);
  await expectServes(alice, bob);
});

async function call(client: SocketClient, svid: number, cmd: number, payload: Uint8Array) {
  const id = nextId++;
  client.send({ kind: PacketKind.REQUEST, svid, cmd, id, payload });
  return client.take((packet) => packet.id === id);
}

const bytesOf = (value: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(value, "base64"));
const sendRequest = (to: string, texts: readonly string[], idLength = 16): Uint8Array =>
  toBinary(
    SendRequestSchema,
    create(SendRequestSchema, {
      conversationId: bytesOf(to),
      messages: texts.map((text) => ({
        clientMessageId: bytesOf(messageId()).subarray(0, idLength),
        content: { kind: { case: "text" as const, value: { text } } },
      })),
    }),
  );
/** The text comes last; its last byte is none of UTF-8. */
function withBadText(): Uint8Array {
  const request = sendRequest(directId(eve, bob), ["good but for its end"]);
  request[request.length - 1] = 0xff;
  return request;
}
const batchOf = (payload: Uint8Array): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(
    toBinary(
      PacketBatchSchema,
      create(PacketBatchSchema, { packets: [{ kind: PacketKind.REQUEST, svid: 10, cmd: 1, id: 5, payload }] }),
    ),
  );

describe("frames that are none", () => {
  const whole = batchOf(new Uint8Array(400));
  const frames: [string, Uint8Array<ArrayBuffer> | string, number, string][] = [
    ["garbage", Uint8Array.from({ length: 300 }, (_, i) => (i * 151 + 0xff) & 0xff), 4000, "MALFORMED_FRAME"],
    ["nothing but ones", new Uint8Array(64).fill(0xff), 4000, "MALFORMED_FRAME"],
    ["text", "GET / HTTP/1.1", 4000, "MALFORMED_FRAME"],
    ["a truncated frame", whole.slice(0, 200), 4000, "MALFORMED_FRAME"],
    ["a frame cut in its first field", whole.slice(0, 2), 4000, "MALFORMED_FRAME"],
    ["an oversize frame", new Uint8Array(limits.maxFrameBytes + 1), 1009, "FRAME_TOO_LARGE"],
  ];
  it.each(frames)("%s: named, and the end of that connection only", async (_name, frame, code, error) => {
    const client = await openSession(server.url, alice.token, 8n);
    client.sendRaw(frame);
    expect(errorOf(await client.take((packet) => packet.kind === PacketKind.ERROR)).name).toBe(error);
    expect(await client.closed).toBe(code);
  });

  it("an oversize frame before Hello", async () => {
    const client = await openSocket(server.url);
    client.sendRaw(new Uint8Array(limits.maxHelloFrameBytes + 1));
    expect(await client.closed).toBe(1009);
  });

  it("a hundred connections with garbage at once", async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => openSocket(server.url)));
    for (const [index, client] of clients.entries()) client.sendRaw(Uint8Array.of(0x0a, 0x80 | index, index, 0xff));
    const codes = await Promise.all(clients.map((client) => client.closed));
    expect(codes.every((code) => code === 4000 || code === 4002)).toBe(true);
  });
});

describe("calls that are wrong leave the connection open", () => {
  let client: SocketClient;
  beforeEach(async () => {
    client = await openSession(server.url, eve.token, 9n);
  });
  afterEach(async () => {
    const good = await call(client, 10, 1, sendRequest(directId(eve, bob), ["good again"]));
    expect(good.kind).toBe(PacketKind.RESPONSE);
    await vi.waitFor(async () => expect(await readTexts(bob, eve)).toContain("good again"), 10_000);
    client.close();
  });
  const refusal = async (svid: number, cmd: number, payload: Uint8Array) => {
    const packet = await call(client, svid, cmd, payload);
    expect(packet.kind).toBe(PacketKind.ERROR);
    const { name, retryable, violations } = errorOf(packet);
    return { name, retryable, fields: violations.map(({ field }) => field) };
  };

  it.each([
    ["unknown SVID", 4_999, 1],
    ["unknown CMD", 10, 4_999],
    ["an internal method", 10, 3],
    ["an event's address", 10, 101],
    ["addresses beyond every table", 0xffff_ffff, 0xffff_ffff],
  ])("%s", async (_name, svid, cmd) => {
    const expected = { name: "UNKNOWN_METHOD", retryable: false, fields: [] };
    expect(await refusal(svid, cmd, sendRequest(directId(eve, bob), ["x"]))).toEqual(expected);
  });

  it.each([
    ["bytes that are no message", () => Uint8Array.of(0xff, 0xff, 0xff)],
    ["a length beyond the end", () => Uint8Array.of(0x0a, 0x7f, 1)],
    ["text that is no UTF-8", withBadText],
  ])("a body with %s", async (_name, payload) => {
    expect(await refusal(10, 1, payload())).toMatchObject({ name: "MALFORMED_PAYLOAD", retryable: false });
  });

  it("another method's body names the field that is missing", async () => {
    const hello = toBinary(HelloRequestSchema, create(HelloRequestSchema, { token: "x", deviceId: 1n }));
    const { name, fields } = await refusal(10, 1, hello);
    expect(name).toBe("INVALID_ARGUMENT");
    expect(fields).toContain("conversation_id");
  });

  it.each([
    ["a text over its limit", (to: string) => sendRequest(to, ["x".repeat(16_001)]), "messages[0].content.text.text"],
    ["an empty text", (to: string) => sendRequest(to, ["ok", ""]), "messages[1].content.text.text"],
    ["a conversation id too short", () => sendRequest("AAAA", ["x"]), "conversation_id"],
    ["a message id too short", (to: string) => sendRequest(to, ["x"], 15), "messages[0].client_message_id"],
    ["no message", (to: string) => sendRequest(to, []), "messages"],
    [
      "too many messages",
      (to: string) =>
        sendRequest(
          to,
          Array.from({ length: 65 }, () => "x"),
        ),
      "messages",
    ],
  ])("%s is named", async (_name, payload, field) => {
    const expected = { name: "INVALID_ARGUMENT", retryable: false, fields: [field] };
    expect(await refusal(10, 1, payload(directId(eve, bob)))).toEqual(expected);
  });

  it("a conversation that the sender is not in: direct, a group, and one that nobody has", async () => {
    const { group } = await alice.call<{ group: { conversationId: string } }>(
      "chappe.business.v1.GroupService/CreateGroup",
      { title: "Without eve", memberIds: [bob.userId] },
    );
    const nobodys = Buffer.alloc(16, 0x91).toString("base64");
    for (const to of [directId(alice, bob), group.conversationId, nobodys]) {
      const payload = sendRequest(to, ["let me in"]);
      expect(await refusal(10, 1, payload)).toMatchObject({ name: "NOT_A_MEMBER", retryable: false });
    }
  });
});
