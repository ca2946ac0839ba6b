import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { MessageArrivedSchema, SendSettledSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { expect } from "vitest";
import { type HttpUser, messageId, registerUser } from "../support/http-user.ts";
import { connectWire } from "../support/transports/connect-wire.ts";
import { grpcWire } from "../support/transports/grpc-wire.ts";
import { tcpWire } from "../support/transports/tcp-wire.ts";
import { type OpenWire, TransportClient } from "../support/transports/transport-client.ts";
import { openTicket, udpWire } from "../support/transports/udp-wire.ts";
import { webSocketWire } from "../support/transports/web-socket-wire.ts";

const send = { svid: 10, cmd: 1 };
const messagesEach = 15;

/** Where clients come in. */
export interface Door {
  readonly url: string;
  readonly port: number;
  readonly listenerPorts: { readonly tcp?: number; readonly grpc?: number; readonly udp?: number };
}

/** One member of the group at one transport. */
interface Member {
  readonly name: string;
  readonly user: HttpUser;
  readonly client: TransportClient;
}

async function joinAll(
  url: string,
  wires: Readonly<Record<string, (user: HttpUser) => Promise<OpenWire>>>,
): Promise<Member[]> {
  const members: Member[] = [];
  for (const [name, wire] of Object.entries(wires)) {
    const user = await registerUser(url, `user-${name}`);
    const client = await TransportClient.open(await wire(user));
    await client.signIn({ token: user.token, deviceId: BigInt(members.length + 1) });
    members.push({ name, user, client });
  }
  return members;
}

/** Messages by seq, whether they came or are the member's own. */
function seenBy({ client }: Member): Map<number, string> {
  const seen = new Map<number, string>();
  const order: number[] = [];
  for (const { payload } of client.pushes(101).filter(({ svid }) => svid === 10))
    for (const { seq, content } of fromBinary(MessageArrivedSchema, payload).messages) {
      const text = content?.kind.case === "text" ? content.kind.value.text : "(change)";
      if (!seen.has(Number(seq))) order.push(Number(seq));
      seen.set(Number(seq), text);
    }
  expect(order).toEqual([...order].sort((a, b) => a - b));
  for (const { payload } of client.pushes(102))
    for (const { seq } of fromBinary(SendSettledSchema, payload).sends)
      if (!seen.has(Number(seq))) seen.set(Number(seq), "(own)");
  return seen;
}

/** Members over every transport of these servers talk in one group; each must get all messages, in order. */
export async function talkOverEveryTransport(doors: readonly Door[]): Promise<void> {
  const [first, second = first] = doors;
  if (first === undefined || second === undefined) throw new Error("there is no door");
  const members = await joinAll(first.url, {
    socket: async () => webSocketWire(first.port),
    tcp: async () => tcpWire(second.listenerPorts.tcp!),
    grpc: async () => grpcWire(first.listenerPorts.grpc!),
    connect: async () => connectWire(second.port, "connect"),
    grpcweb: async () => connectWire(first.port, "grpc-web"),
    udp: async (user) => udpWire(await openTicket(second.port, user.token)),
  });
  const [owner] = members;
  const memberIds = members.slice(1).map(({ user }) => user.userId);
  const { group } = await owner!.user.call<{ group: { conversationId: string } }>(
    "chappe.business.v1.GroupService/CreateGroup",
    { title: "every way", memberIds },
  );
  const conversationId = Buffer.from(group.conversationId, "base64");
  const sendOne = async ({ name, client }: Member, n: number): Promise<void> => {
    const content = { kind: { case: "text" as const, value: { text: `${name} ${n}` } } };
    const messages = [{ clientMessageId: Buffer.from(messageId(), "base64"), content }];
    const payload = toBinary(SendRequestSchema, create(SendRequestSchema, { conversationId, messages }));
    const answer = await client.call({ ...send, affinity: conversationId, payload });
    expect(answer.kind).toBe(PacketKind.RESPONSE);
  };
  await Promise.all(
    members.map(async (member) => {
      for (let n = 1; n <= messagesEach; n++) await sendOne(member, n);
    }),
  );
  const last = members.length * messagesEach + 1;
  for (const member of members) await expect.poll(() => seenBy(member).size, { timeout: 30_000 }).toBe(last);
  const texts = seenBy(owner!);
  for (const member of members.slice(1)) {
    const seen = seenBy(member);
    for (let seq = 2; seq <= last; seq++) {
      const [a, b] = [texts.get(seq), seen.get(seq)];
      if (a !== "(own)" && b !== "(own)") expect(b).toBe(a);
    }
  }
  for (const { client } of members) client.close();
}
