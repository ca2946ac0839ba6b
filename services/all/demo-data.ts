import { randomUUIDv7 } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { AuthService } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";

/** Names and the one password of the demo users; development mode only. */
export const demoAccounts = Object.freeze({
  names: ["alice", "bob"] as const,
  password: "telegraph",
  group: "Telegraph",
});

const idBytes = (): Uint8Array => Uint8Array.from(Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex"));

/** Makes the demo users and their group talk, over HTTP like any client. Does nothing when they are there already. */
export async function createDemoData(baseUrl: string): Promise<void> {
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1" });
  const auth = createClient(AuthService, transport);
  const { password, group: title } = demoAccounts;
  const register = async (name: string) => {
    const { tokens } = await auth.register({ name, password, displayName: name[0]!.toUpperCase() + name.slice(1) });
    return { userId: tokens!.userId, headers: { authorization: `Bearer ${tokens!.accessToken}` } };
  };
  const { tokens } = await auth.signIn({ name: "alice", password }).catch(() => ({ tokens: undefined }));
  if (tokens !== undefined) return;
  const alice = await register("alice");
  const bob = await register("bob");
  const groups = createClient(GroupService, transport);
  const { group } = await groups.createGroup({ title, memberIds: [bob.userId] }, { headers: alice.headers });
  const { users } = await createClient(UserService, transport).getUsers({ names: ["bob"] }, { headers: alice.headers });
  const messages = createClient(MessageService, transport);
  const say = (conversationId: Uint8Array, from: typeof alice, text: string) => {
    const content = create(MessageContentSchema, { kind: { case: "text", value: { text } } });
    return messages.send(
      { conversationId, messages: [{ clientMessageId: idBytes(), content }] },
      { headers: from.headers },
    );
  };
  await say(group!.conversationId, alice, "The line is up. Can you read me?");
  await say(group!.conversationId, bob, "Loud and clear, every arm of it.");
  await say(users[0]!.directConversationId, alice, "And this one is just for you, Bob.");
}
