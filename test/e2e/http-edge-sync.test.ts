import { ReceiptSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { directId, type HttpUser, messageId, registerUser } from "../support/http-user.ts";
import { openSession, takeEvent } from "../support/socket-client.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const sync = "chappe.business.v1.SyncService";

let server: TestServer;
let users: [HttpUser, HttpUser, HttpUser];
let conversationId: string;
beforeAll(async () => {
  server = await startTestServer();
  users = [
    await registerUser(server.url, "ann"),
    await registerUser(server.url, "bea"),
    await registerUser(server.url, "eve"),
  ];
  conversationId = directId(users[0], users[1]);
  const content = { text: { text: "hello" } };
  await users[0].call("chappe.msg.v1.MessageService/Send", {
    conversationId,
    messages: [{ clientMessageId: messageId(), content }],
  });
});
afterAll(() => server.close());

it("a mark is in the heads of the next call, goes no further than the head and reaches the other member", async () => {
  const [ann, bea, eve] = users;
  const client = await openSession(server.url, ann.token, 1n);
  await bea.call(`${sync}/MarkRead`, { conversationId, seq: "9999" });
  const receipt = await takeEvent(client, ReceiptSchema, 23, 101);
  expect([receipt.userId, receipt.deliveredSeq, receipt.readSeq]).toEqual([BigInt(bea.userId), 1n, 1n]);
  const { heads } = await bea.call<{ heads: { readSeq: string }[] }>(`${sync}/ListHeads`, {});
  expect(heads.map(({ readSeq }) => readSeq)).toEqual(["1"]);
  await expect(eve.call(`${sync}/MarkRead`, { conversationId, seq: "1" })).rejects.toMatchObject({
    reason: "NOT_A_MEMBER",
  });
  client.close();
});
