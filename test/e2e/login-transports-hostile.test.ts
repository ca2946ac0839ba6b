import type { Socket } from "node:net";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { createPacket, encodePacketBatch } from "@chappe/mesh/codec/packet.ts";
import { lengthHeader } from "@chappe/services/login/tcp/tcp-frames.ts";
import { afterEach, describe, expect, test } from "vitest";
import { connectWire, edgeClient } from "../support/transports/connect-wire.ts";
import { openSocketTo, tcpWire } from "../support/transports/tcp-wire.ts";
import { TransportClient } from "../support/transports/transport-client.ts";
import { startTransports, type TransportHarness, transportNames } from "../support/transports/transport-harness.ts";
import { helloPacket } from "./login-client.ts";
import { echo } from "./login-harness.ts";

let harness: TransportHarness;
afterEach(() => harness.close());

const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.once("close", () => resolve());
  });
/** A PROXY protocol v2 header of a client with this IPv4 address. */
const proxyHeader = (address: string): Buffer =>
  Buffer.concat([
    Buffer.from("0d0a0d0a000d0a515549540a2111000c", "hex"),
    Buffer.from([...address.split(".").map(Number), 10, 0, 0, 1, 0, 80, 0, 80]),
  ]);

describe.each(transportNames)("a flood of connections over %s", (transport) => {
  test("that never say Hello is refused; who was there before works on", async () => {
    harness = await startTransports({ login: { limits: { maxUnauthenticatedPerAddress: 5 } } });
    const early = await harness.signedIn(transport, 1n);
    const flood = await Promise.allSettled(Array.from({ length: 20 }, () => harness.open(transport)));
    await expect.poll(() => harness.login.stats().refused).toBe(15);
    expect(harness.login.stats().connections).toBe(6);
    expect((await early.call(echo)).kind).toBe(PacketKind.RESPONSE);
    for (const one of flood) if (one.status === "fulfilled") one.value.close();
    await expect.poll(() => harness.login.stats().connections).toBe(1);
    const late = await harness.signedIn(transport, 2n);
    expect((await late.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("by rate is refused, whether they say Hello or not", async () => {
    harness = await startTransports({
      login: { limits: { connectBurstPerAddress: 3, connectsPerSecondPerAddress: 0.001 } },
    });
    const clients = await Promise.all([1n, 2n, 3n].map((userId) => harness.signedIn(transport, userId)));
    for (const client of clients) client.close();
    const fourth = await harness.open(transport).catch(() => undefined);
    await expect.poll(() => harness.login.stats().refused).toBe(1);
    fourth?.close();
  });
});

describe("true client addresses", () => {
  test("PROXY protocol v2 of a trusted peer: one address is full, another one works", async () => {
    harness = await startTransports({
      trustedProxies: ["127.0.0.0/8"],
      login: { limits: { maxConnectionsPerAddress: 1 } },
    });
    const from = (address: string) => TransportClient.open(tcpWire(harness.ports.tcp, proxyHeader(address)));
    const first = await from("203.0.113.1");
    await first.signIn({ token: await harness.token(1n) });
    const second = await from("203.0.113.1");
    const refusal = await second.packet((packet) => packet.id === 0);
    expect(second.errorOf(refusal)).toBe("RATE_LIMITED");
    await second.closed;
    const third = await from("203.0.113.2");
    await third.signIn({ token: await harness.token(2n) });
    expect((await first.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("a trusted peer without its header, or with half of it, is cut", async () => {
    harness = await startTransports({ trustedProxies: ["127.0.0.1"], login: { limits: { helloTimeoutMs: 200 } } });
    const bare = await openSocketTo(harness.ports.tcp);
    bare.write("GET / HTTP/1.1\r\n\r\n");
    await closed(bare);
    const half = await openSocketTo(harness.ports.tcp);
    half.write(proxyHeader("203.0.113.1").subarray(0, 20));
    await closed(half);
    expect(harness.login.stats().accepted).toBe(0);
  });
});

describe("TCP", () => {
  test("frames that trickle in are cut at the Hello timeout, and after it at the heartbeat timeout", async () => {
    harness = await startTransports({ login: { limits: { helloTimeoutMs: 200, heartbeatTimeoutMs: 300 } } });
    const slow = await openSocketTo(harness.ports.tcp);
    slow.resume().write(lengthHeader(1_000));
    const timer = setInterval(() => slow.write("x"), 20);
    await closed(slow);
    clearInterval(timer);
    expect(harness.login.stats().closes.HELLO_TIMEOUT).toBe(1);
    const client = await harness.signedIn("TCP", 1n);
    client.send({});
    await client.closed;
  });

  test("frames cut anywhere, and many in one piece, are the same frames", async () => {
    harness = await startTransports();
    const socket = await openSocketTo(harness.ports.tcp);
    socket.setNoDelay(true).resume();
    const framed = (batch: Uint8Array): Buffer => Buffer.concat([lengthHeader(batch.length), batch]);
    const hello = framed(encodePacketBatch([helloPacket(1, { token: await harness.token(1n) })]));
    for (let at = 0; at < hello.length; at += 7) {
      await new Promise((resolve) => socket.write(hello.subarray(at, at + 7), resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(async () => (await harness.presence.lookup([1n]))[0]).toHaveLength(1);
    const calls = Array.from({ length: 50 }, (_, i) =>
      framed(encodePacketBatch([createPacket({ kind: PacketKind.REQUEST, ...echo, id: i + 1 })])),
    );
    socket.write(Buffer.concat(calls));
    await expect.poll(() => harness.calls.length).toBe(50);
    socket.destroy();
  });

  test("a client that has ended its side gets what is ready, and is gone", async () => {
    harness = await startTransports();
    const client = await harness.signedIn("TCP", 1n);
    client.close();
    await client.closed;
    await expect.poll(() => harness.login.stats().connections).toBe(0);
    expect((await harness.presence.lookup([1n]))[0]).toEqual([]);
  });
});

describe("SendFrame", () => {
  test("is applied once and in order, a gap is refused, a stranger's key is unknown", async () => {
    harness = await startTransports();
    const client = edgeClient(harness.port);
    const abort = new AbortController();
    const stream = client.listen({}, { signal: abort.signal })[Symbol.asyncIterator]();
    const { value } = await stream.next();
    const connectionKey = value!.packets[0]!.payload.slice(2);
    expect(connectionKey).toHaveLength(32);
    const frame = encodePacketBatch([helloPacket(1, { token: await harness.token(1n) })]);
    const send = (sequence: bigint, key = connectionKey) =>
      client.sendFrame({ connectionKey: key, sequence, frame: Uint8Array.from(frame) });
    await expect(send(2n)).rejects.toThrow("1 is expected");
    expect(harness.login.stats().framesIn).toBe(0);
    expect(await send(1n)).toMatchObject({ nextSequence: 2n, repeated: false });
    expect(await send(1n)).toMatchObject({ nextSequence: 2n, repeated: true });
    expect(harness.login.stats().framesIn).toBe(1);
    await expect(send(2n, new Uint8Array(32))).rejects.toThrow("no such connection");
    await expect(send(0n)).rejects.toThrow("sequence");
    abort.abort();
  });

  test("the stream says something to proxies when nothing happens", async () => {
    harness = await startTransports({ login: { limits: { listenKeepaliveMs: 50 } } });
    let batches = 0;
    const client = await TransportClient.open((events) =>
      connectWire(harness.port)({ ...events, onFrame: () => void batches++ }),
    );
    await expect.poll(() => batches).toBeGreaterThan(1);
    client.close();
  });
});
