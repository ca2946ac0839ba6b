import { create, toBinary } from "@bufbuild/protobuf";
import { DeliveryAckSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import {
  MessageArrivedSchema,
  ReceiptSchema,
  SendOutcome,
  SendSettledSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { directId, type HttpUser, messageId, registerUser } from "../support/http-user.ts";
import { errorOf, openSession, openSocket, type SocketClient, takeEvent } from "../support/socket-client.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const sendMethod = "chappe.msg.v1.MessageService/Send";
const listMethod = "chappe.msg.v1.HistoryService/ListMessages";
const getSendMethod = "chappe.msg.v1.MessageService/GetSend";
const groupMethod = (name: string): string => `chappe.business.v1.GroupService/${name}`;
const text = (value: string): object => ({ text: { text: value } });

interface Page {
  readonly messages?: { seq: string; content?: { text?: { text: string } }; clientMessageId: string }[];
  readonly headSeq?: string;
}

let server: TestServer;
let alice: HttpUser;
let bob: HttpUser;
let eve: HttpUser;

beforeAll(async () => {
  server = await startTestServer();
  [alice, bob, eve] = (await Promise.all(["alice", "bob", "eve"].map((name) => registerUser(server.url, name)))) as [
    HttpUser,
    HttpUser,
    HttpUser,
  ];
});
afterAll(() => server.close());

const settledSeq = async (user: HttpUser, conversationId: string, clientMessageId: string): Promise<number> => {
  for (;;) {
    const { state, seq } = await user.call<{ state: string; seq?: string }>(getSendMethod, {
      conversationId,
      clientMessageId,
    });
    if (state === "SEND_STATE_SEQ") return Number(seq);
    expect(state).toBe("SEND_STATE_NOT_YET");
  }
};

const sendPacket = (conversationId: string, id: string, value: string, callId: number) => ({
  kind: PacketKind.REQUEST,
  svid: 10,
  cmd: 1,
  id: callId,
  payload: toBinary(
    SendRequestSchema,
    create(SendRequestSchema, {
      conversationId: Buffer.from(conversationId, "base64"),
      messages: [
        { clientMessageId: Buffer.from(id, "base64"), content: { kind: { case: "text", value: { text: value } } } },
      ],
    }),
  ),
});

describe("messages over HTTP", () => {
  it("are numbered 1, 2, 3 and read back in order, also after a restart", async () => {
    const conversationId = directId(alice, bob);
    const ids = [messageId(), messageId(), messageId()];
    for (const [index, clientMessageId] of ids.entries()) {
      await alice.call(sendMethod, { conversationId, messages: [{ clientMessageId, content: text(`m${index}`) }] });
    }
    expect(await settledSeq(alice, conversationId, ids[2]!)).toBe(3);
    const before = await bob.call<Page>(listMethod, { conversationId });
    expect(before.messages?.map((message) => [message.seq, message.content?.text?.text])).toEqual([
      ["1", "m0"],
      ["2", "m1"],
      ["3", "m2"],
    ]);
    await server.restart();
    expect(await bob.call<Page>(listMethod, { conversationId })).toEqual(before);
  });

  it("keep the first of two bodies under one id and settle a resend on the first seq", async () => {
    const conversationId = directId(alice, eve);
    const clientMessageId = messageId();
    const send = (value: string) =>
      alice.call(sendMethod, { conversationId, messages: [{ clientMessageId, content: text(value) }] });
    await send("first");
    await send("first");
    await send("second");
    const marker = messageId();
    await alice.call(sendMethod, { conversationId, messages: [{ clientMessageId: marker, content: text("after") }] });
    expect(await settledSeq(alice, conversationId, marker)).toBe(2);
    expect(await settledSeq(alice, conversationId, clientMessageId)).toBe(1);
    const conflict = await alice.call<{ state: string }>(getSendMethod, {
      conversationId,
      clientMessageId,
      content: text("second"),
    });
    expect(conflict.state).toBe("SEND_STATE_CONFLICT");
    const page = await alice.call<Page>(listMethod, { conversationId });
    expect(page.messages?.map((message) => message.content?.text?.text)).toEqual(["first", "after"]);
  });

  it("dedupe a resend that comes after a restart", async () => {
    const conversationId = directId(bob, eve);
    const clientMessageId = messageId();
    const send = () => bob.call(sendMethod, { conversationId, messages: [{ clientMessageId, content: text("once") }] });
    await send();
    await settledSeq(bob, conversationId, clientMessageId);
    await server.restart();
    await send();
    const marker = messageId();
    await bob.call(sendMethod, { conversationId, messages: [{ clientMessageId: marker, content: text("marker") }] });
    expect(await settledSeq(bob, conversationId, marker)).toBe(2);
  });

  it("answer NONE for an id that was never sent", async () => {
    const answer = await alice.call<{ state: string }>(getSendMethod, {
      conversationId: directId(alice, bob),
      clientMessageId: messageId(),
    });
    expect(answer.state).toBe("SEND_STATE_NONE");
  });

  it("are refused with the field or the reason named, and nothing is stored", async () => {
    const conversationId = directId(alice, bob);
    const before = await alice.call<Page>(listMethod, { conversationId });
    const refused = async (body: object, reason: string): Promise<void> => {
      await expect(eve.call(sendMethod, body)).rejects.toMatchObject({ reason });
    };
    const message = { clientMessageId: messageId(), content: text("x") };
    await refused({ conversationId, messages: [message] }, "NOT_A_MEMBER");
    const own = directId(eve, bob);
    await refused(
      { conversationId: own, messages: [{ clientMessageId: messageId(3 * 86_400_000), content: text("x") }] },
      "ID_TIME_OUT_OF_RANGE",
    );
    await refused({ conversationId: own, messages: [] }, "INVALID_ARGUMENT");
    await refused({ conversationId: "AAAA", messages: [message] }, "INVALID_ARGUMENT");
    await refused(
      { conversationId: own, messages: [{ ...message, content: text("y".repeat(16_001)) }] },
      "INVALID_ARGUMENT",
    );
    await refused({ conversationId: own, messages: [{ ...message, content: { membership: {} } }] }, "INVALID_ARGUMENT");
    expect(await alice.call<Page>(listMethod, { conversationId })).toEqual(before);
  });
});

describe("groups", () => {
  it("show members only what was said between join and leave", async () => {
    const { group } = await alice.call<{ group: { conversationId: string } }>(groupMethod("CreateGroup"), {
      title: "Three",
      memberIds: [bob.userId],
    });
    const { conversationId } = group;
    const say = async (user: HttpUser, value: string): Promise<number> => {
      const clientMessageId = messageId();
      await user.call(sendMethod, { conversationId, messages: [{ clientMessageId, content: text(value) }] });
      return settledSeq(user, conversationId, clientMessageId);
    };
    expect(await say(bob, "before eve")).toBe(2);
    await expect(eve.call(listMethod, { conversationId })).rejects.toMatchObject({ reason: "NOT_A_MEMBER" });
    const added = await alice.call<{ seq: string }>(groupMethod("AddMembers"), {
      conversationId,
      userIds: [eve.userId],
    });
    expect(added.seq).toBe("3");
    expect(await say(eve, "with eve")).toBe(4);
    const removed = await alice.call<{ seq: string }>(groupMethod("RemoveMembers"), {
      conversationId,
      userIds: [eve.userId],
    });
    expect(removed.seq).toBe("5");
    expect(await say(bob, "after eve")).toBe(6);
    const seen = await eve.call<Page>(listMethod, { conversationId });
    expect(seen.messages?.map((message) => message.seq)).toEqual(["3", "4"]);
    await expect(say(eve, "too late")).rejects.toMatchObject({ reason: "NOT_A_MEMBER" });
    await expect(bob.call(groupMethod("AddMembers"), { conversationId, userIds: [eve.userId] })).rejects.toMatchObject({
      reason: "PERMISSION_DENIED",
    });
  });
});

describe("long connections", () => {
  let a: SocketClient;
  let b: SocketClient;

  beforeAll(async () => {
    a = await openSession(server.url, alice.token, 11n);
    b = await openSession(server.url, bob.token, 22n);
  });
  afterAll(() => {
    a.close();
    b.close();
  });

  it("carry a message to the receiver, its seq to the sender and the receipt back", async () => {
    const conversationId = directId(alice, bob);
    const id = messageId();
    a.send(sendPacket(conversationId, id, "over the wire", 7));
    expect((await a.take((packet) => packet.id === 7)).kind).toBe(PacketKind.RESPONSE);
    const settled = await takeEvent(a, SendSettledSchema, 10, 102);
    const arrived = await takeEvent(b, MessageArrivedSchema, 10, 101);
    const message = arrived.messages[0]!;
    expect(message.content?.kind.value).toMatchObject({ text: "over the wire" });
    expect(settled.sends[0]).toMatchObject({ seq: message.seq, outcome: SendOutcome.SEQUENCED });
    const ack = create(DeliveryAckSchema, {
      acks: [{ conversationId: Buffer.from(conversationId, "base64"), seq: message.seq }],
    });
    b.send({ kind: PacketKind.ACK, payload: toBinary(DeliveryAckSchema, ack) });
    const receipt = await takeEvent(a, ReceiptSchema, 23, 101);
    expect(receipt).toMatchObject({ userId: BigInt(bob.userId), deliveredSeq: message.seq });
  });

  it("tell the sender of a conflict and keep the first body", async () => {
    const conversationId = directId(alice, bob);
    const id = messageId();
    a.send(sendPacket(conversationId, id, "one", 8), sendPacket(conversationId, id, "two", 9));
    const outcomes = (await takeEvent(a, SendSettledSchema, 10, 102)).sends.map((send) => send.outcome);
    if (outcomes.length < 2)
      outcomes.push(...(await takeEvent(a, SendSettledSchema, 10, 102)).sends.map((send) => send.outcome));
    expect(outcomes).toEqual([SendOutcome.SEQUENCED, SendOutcome.CONFLICT]);
    expect(
      (await takeEvent(b, MessageArrivedSchema, 10, 101)).messages.map((message) => message.content?.kind.value),
    ).toMatchObject([{ text: "one" }]);
  });

  it("refuse what clients may not call, and stay open", async () => {
    const call = async (svid: number, cmd: number, payload: Uint8Array, id: number) => {
      b.send({ kind: PacketKind.REQUEST, svid, cmd, id, payload });
      const packet = await b.take((next) => next.id === id);
      return packet.kind === PacketKind.ERROR ? errorOf(packet).name : "RESPONSE";
    };
    expect(await call(999, 1, new Uint8Array(0), 20)).toBe("UNKNOWN_METHOD");
    expect(await call(10, 3, new Uint8Array(0), 21)).toBe("UNKNOWN_METHOD");
    expect(await call(40, 1, new Uint8Array(0), 22)).toBe("UNKNOWN_METHOD");
    expect(await call(10, 1, Uint8Array.of(0xff, 0xff, 0xff), 23)).toBe("MALFORMED_PAYLOAD");
    expect(await call(1, 2, new Uint8Array(0), 24)).toBe("RESPONSE");
  });

  it("close with the right code on bad frames, while others go on", async () => {
    const closeCode = async (act: (client: SocketClient) => void): Promise<number> => {
      const client = await openSocket(server.url);
      act(client);
      return client.closed;
    };
    expect(await closeCode((client) => client.sendRaw("text"))).toBe(4000);
    expect(await closeCode((client) => client.sendRaw(Uint8Array.of(0x0a, 0xff, 0x01)))).toBe(4000);
    expect(await closeCode((client) => client.sendRaw(new Uint8Array(5_000)))).toBe(1009);
    expect(await closeCode((client) => client.sendRaw(new Uint8Array(70_000)))).toBe(1009);
    expect(await closeCode((client) => client.send({ kind: PacketKind.REQUEST, svid: 10, cmd: 1, id: 1 }))).toBe(4002);
    await expect(openSession(server.url, "no.token.here", 1n)).rejects.toThrow("TOKEN_INVALID");
    b.send({ kind: PacketKind.REQUEST, svid: 1, cmd: 2, id: 30 });
    expect((await b.take((packet) => packet.id === 30)).kind).toBe(PacketKind.RESPONSE);
  });

  it("end at once when the session is signed out", async () => {
    const carol = await registerUser(server.url, "carol");
    const client = await openSession(server.url, carol.token, 33n);
    await carol.call("chappe.business.v1.AuthService/SignOut", {});
    expect(await client.closed).toBe(4005);
    await expect(carol.call("chappe.business.v1.SyncService/ListHeads", {})).rejects.toMatchObject({
      reason: "SESSION_REVOKED",
    });
  });
});
