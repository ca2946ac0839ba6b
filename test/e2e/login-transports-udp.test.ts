import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { cookieBytes, datagramTypes, initBytes, sealDatagram } from "@chappe/services/login/udp/datagrams.ts";
import { afterEach, expect, test } from "vitest";
import { TransportClient } from "../support/transports/transport-client.ts";
import { startTransports, type TransportHarness } from "../support/transports/transport-harness.ts";
import { askCookie, openTicket, openUdpSocket, type UdpTaps, udpWire } from "../support/transports/udp-wire.ts";
import { echo } from "./login-harness.ts";

let harness: TransportHarness;
afterEach(() => harness.close());

const open = async (taps: UdpTaps = {}): Promise<TransportClient> => {
  const ticket = await openTicket(harness.port, await harness.token(1n));
  const client = await TransportClient.open(udpWire(ticket, taps));
  await client.signIn({ token: await harness.token(1n) });
  return client;
};
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("before a cookie has come back no answer is larger than its question, and most have none", async () => {
  harness = await startTransports();
  const socket = await openUdpSocket();
  let inBytes = 0;
  let outBytes = 0;
  socket.on("message", (datagram) => {
    inBytes += datagram.length;
  });
  const { ticketId, key } = await openTicket(harness.port, await harness.token(1n));
  const data = sealDatagram(key, "up", ticketId, 0n, Buffer.alloc(8));
  const openWith = (cookie: Buffer): Buffer => Buffer.concat([Buffer.of(datagramTypes.open), cookie, data]);
  const init = Buffer.alloc(initBytes, 0);
  init[0] = datagramTypes.init;
  const questions = [init, init.subarray(0, initBytes - 1), Buffer.of(datagramTypes.init), data, Buffer.alloc(1_500)];
  questions.push(openWith(Buffer.alloc(cookieBytes)), Buffer.of(datagramTypes.open), Buffer.alloc(0));
  for (const question of questions) {
    outBytes += question.length;
    await new Promise((resolve) => socket.send(question, harness.ports.udp, "127.0.0.1", resolve));
  }
  const cookie = await askCookie(socket, harness.ports.udp);
  expect(cookie).toHaveLength(cookieBytes);
  // The two answers are to the two whole INITs.
  await expect.poll(() => inBytes).toBe(2 * (1 + cookieBytes));
  expect(1 + cookieBytes).toBeLessThanOrEqual(initBytes);
  expect(inBytes).toBeLessThanOrEqual(outBytes + initBytes);
  expect(harness.login.stats().accepted).toBe(0);
  // The cookie is good from its own address only.
  const other = await openUdpSocket();
  await new Promise((resolve) => other.send(openWith(cookie), harness.ports.udp, "127.0.0.1", resolve));
  await askCookie(other, harness.ports.udp);
  expect(harness.login.stats().accepted).toBe(0);
  await new Promise((resolve) => socket.send(openWith(cookie), harness.ports.udp, "127.0.0.1", resolve));
  await expect.poll(() => harness.login.stats().accepted).toBe(1);
  socket.close();
  other.close();
});

test("replayed and forged datagrams change nothing", async () => {
  harness = await startTransports();
  const sent: Buffer[] = [];
  let answered = 0;
  const client = await open({
    onOut: (datagram) => sent.push(Buffer.from(datagram)) > 0,
    onIn: () => ++answered > 0,
  });
  await client.call(echo);
  const stranger = await openUdpSocket();
  let heard = 0;
  stranger.on("message", () => heard++);
  await askCookie(stranger, harness.ports.udp);
  await turns(10);
  const { framesIn } = harness.login.stats();
  const answeredBefore = answered;
  const send = (datagram: Buffer) =>
    new Promise((resolve) => stranger.send(datagram, harness.ports.udp, "127.0.0.1", resolve));
  const datas = sent.filter((datagram) => datagram[0] === datagramTypes.data);
  expect(datas.length).toBeGreaterThan(0);
  for (const data of datas) {
    await send(data);
    for (const at of [9, 16, 17, 20, data.length - 1]) {
      const forged = Buffer.from(data);
      forged[at]! ^= 0x80;
      await send(forged);
    }
  }
  await askCookie(stranger, harness.ports.udp);
  await turns(10);
  expect(heard).toBe(2);
  expect(answered).toBe(answeredBefore);
  expect(harness.login.stats()).toMatchObject({ framesIn, connections: 1 });
  expect((await client.call(echo)).kind).toBe(PacketKind.RESPONSE);
  stranger.close();
});

test("of the datagrams every seventh is lost, both ways: everything arrives once and in order", async () => {
  harness = await startTransports();
  let count = 0;
  const isLost = (): boolean => ++count % 7 === 0;
  const client = await open({ onOut: () => !isLost(), onIn: () => !isLost() });
  const payloads = Array.from({ length: 40 }, (_, i) => new Uint8Array(3_000).fill(i));
  for (const [i, payload] of payloads.entries())
    client.send({ kind: PacketKind.REQUEST, ...echo, id: 1_000 + i, payload });
  await client.packet((packet) => packet.id === 1_039);
  expect(harness.calls.map((call) => call.payload[2_999])).toEqual(payloads.map((_, i) => i));
  const answers = client.packets.filter((packet) => packet.id >= 1_000);
  expect(answers.map((packet) => packet.id)).toEqual(payloads.map((_, i) => 1_000 + i));
});

test("a client that moves to another port is followed", async () => {
  harness = await startTransports();
  let move = (): Promise<void> => Promise.resolve();
  const client = await open({
    onMove: (mover) => {
      move = mover;
    },
  });
  await move();
  expect((await client.call(echo)).kind).toBe(PacketKind.RESPONSE);
});

test("a ticket is good for one session, and a user has only so many", async () => {
  harness = await startTransports({ login: { limits: { maxUdpTicketsPerUser: 2 } } });
  const token = await harness.token(1n);
  const ticket = await openTicket(harness.port, token);
  const client = await TransportClient.open(udpWire(ticket));
  await client.signIn({ token });
  client.close();
  await expect.poll(() => harness.login.stats().connections).toBe(0);
  await TransportClient.open(udpWire(ticket));
  await turns(20);
  expect(harness.login.stats().accepted).toBe(1);
  await openTicket(harness.port, token);
  await openTicket(harness.port, token);
  await expect(openTicket(harness.port, token)).rejects.toThrow("Too many tickets");
  await expect(openTicket(harness.port, "not.a.token")).rejects.toThrow();
});
