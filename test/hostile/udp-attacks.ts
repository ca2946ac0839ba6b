import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { datagramTypes, initBytes } from "@chappe/services/login/udp/datagrams.ts";
import { TransportClient } from "../support/transports/transport-client.ts";
import { openTicket, openUdpSocket, udpWire } from "../support/transports/udp-wire.ts";
import { type Attack, count, type Outcomes } from "./target.ts";

const burst = 50;

/** Questions under addresses that are not the sender's: counts bytes both ways. */
export const udpSpoofing: Attack = async ({ udp }, untilMs) => {
  const outcomes: Outcomes = { bytesOut: 0, bytesBack: 0 };
  const socket = await openUdpSocket();
  socket.on("message", (datagram) => count(outcomes, "bytesBack", datagram.length));
  const init = Buffer.alloc(initBytes);
  init[0] = datagramTypes.init;
  const questions = [init, init.subarray(0, 9), Buffer.alloc(1_200, 0x42), Buffer.of(datagramTypes.open, 1, 2, 3)];
  for (let next = 0; performance.now() < untilMs; ) {
    for (let i = 0; i < burst; i++) {
      const question = questions[next++ % questions.length]!;
      count(outcomes, "bytesOut", question.length);
      socket.send(question, udp, "127.0.0.1");
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  socket.close();
  return outcomes;
};

/** Datagrams of a good session, sent again and again; the session must be as if they were not. */
export const udpReplay: Attack = async ({ http, udp, token }, untilMs) => {
  const outcomes: Outcomes = {};
  const kept: Buffer[] = [];
  const ticket = await openTicket(http, token);
  const onOut = (datagram: Buffer): boolean => {
    if (kept.length < burst) kept.push(datagram);
    return true;
  };
  const client = await TransportClient.open(udpWire(ticket, { onOut }));
  await client.signIn({ token });
  for (let i = 0; i < 10; i++) await client.heartbeat();
  const socket = await openUdpSocket();
  while (performance.now() < untilMs) {
    for (const datagram of kept) socket.send(datagram, udp, "127.0.0.1");
    count(outcomes, "replayed", kept.length);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const answers = (): number => client.packets.filter(({ kind }) => kind === PacketKind.RESPONSE).length;
  const before = answers();
  await client.heartbeat();
  count(outcomes, "answers to one heartbeat", answers() - before);
  client.close();
  socket.close();
  return outcomes;
};
