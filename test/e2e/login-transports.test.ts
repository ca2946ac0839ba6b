import { fromBinary } from "@bufbuild/protobuf";
import { closeCodes } from "@chappe/gen/errors.ts";
import { DrainSchema, KickedSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { createPacket, encodePacketBatch } from "@chappe/mesh/codec/packet.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { afterEach, describe, expect, test } from "vitest";
import type { TransportClient } from "../support/transports/transport-client.ts";
import { startTransports, type TransportHarness, transportNames } from "../support/transports/transport-harness.ts";
import { echo } from "./login-harness.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);

describe.each(transportNames)("a session over %s", (transport) => {
  let harness: TransportHarness;
  afterEach(() => harness.close());

  const ends = async (client: TransportClient, close: keyof typeof closeCodes, error?: string): Promise<void> => {
    expect(await client.closed).toBe(closeCodes[close].code);
    if (error !== undefined) expect(client.packets.map((packet) => client.errorOf(packet))).toContain(error);
    await expect.poll(() => harness.login.stats().closes[close]).toBe(1);
  };

  test("signs in, calls, receives in order, and is gone from presence when it closes", async () => {
    harness = await startTransports();
    const client = await harness.open(transport);
    const welcome = await client.signIn({ token: await harness.token(1n), deviceId: 9n });
    expect(welcome).toMatchObject({ userId: 1n, maxFrameBytes: limits.maxFrameBytes });
    const sent = Array.from({ length: 200 }, (_, i) => `call ${i}`);
    for (const [i, payload] of sent.entries())
      client.send({ kind: PacketKind.REQUEST, ...echo, id: i + 1_000, payload: bytes(payload) });
    await client.packet((packet) => packet.id === 1_199);
    expect(harness.calls.map((call) => text(call.payload))).toEqual(sent);
    for (let i = 0; i < 300; i++)
      await harness.login.deliver([
        { connectionIds: [welcome.connectionId], svid: 30, cmd: 101, payload: bytes(`push ${i}`) },
      ]);
    await client.packet((packet) => text(packet.payload) === "push 299");
    expect(
      client
        .pushes(101)
        .slice(-300)
        .map((packet) => text(packet.payload)),
    ).toEqual(Array.from({ length: 300 }, (_, i) => `push ${i}`));
    client.close();
    await client.closed;
    await expect.poll(async () => (await harness.presence.lookup([1n]))[0]).toEqual([]);
    expect(harness.login.stats()).toMatchObject({ connections: 0, closes: { CLIENT: 1 } });
  });

  test("a frame at the limit passes both ways, one over it ends the session", async () => {
    harness = await startTransports();
    const client = await harness.signedIn(transport, 1n);
    const overhead =
      encodePacketBatch([createPacket({ kind: 1, ...echo, id: 100, payload: new Uint8Array(65_000) })]).length - 65_000;
    const payload = new Uint8Array(limits.maxFrameBytes - overhead).map((_, i) => i % 251);
    const answer = await client.call({ ...echo, payload });
    expect(Buffer.from(answer.payload).equals(payload)).toBe(true);
    client.sendBytes(new Uint8Array(limits.maxFrameBytes + 1));
    await ends(client, "FRAME_TOO_LARGE", "FRAME_TOO_LARGE");
  });

  test("a frame over the limit before Hello", async () => {
    harness = await startTransports();
    const client = await harness.open(transport);
    client.sendBytes(new Uint8Array(limits.maxHelloFrameBytes + 1));
    await ends(client, "FRAME_TOO_LARGE", "FRAME_TOO_LARGE");
  });

  test("garbage ends this session only", async () => {
    harness = await startTransports();
    const other = await harness.signedIn(transport, 2n);
    const client = await harness.signedIn(transport, 1n);
    client.sendBytes(bytes("\xff\xfe not a batch at all"));
    await ends(client, "BAD_FRAME", "MALFORMED_FRAME");
    expect(text((await other.call({ ...echo, payload: bytes("still here") })).payload)).toBe("still here");
  });

  test("an unknown SVID or CMD is an answer, not an end", async () => {
    harness = await startTransports();
    const client = await harness.signedIn(transport, 1n);
    for (const address of [
      { svid: 999, cmd: 1 },
      { svid: echo.svid, cmd: 4_000 },
    ])
      expect(client.errorOf(await client.call(address))).toBe("UNKNOWN_METHOD");
    expect((await client.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("a call before Hello, a bad token and no Hello at all end with their reasons", async () => {
    harness = await startTransports({ login: { limits: { helloTimeoutMs: 300 } } });
    const hasty = await harness.open(transport);
    expect(hasty.errorOf(await hasty.call(echo))).toBe("WRONG_STATE");
    await ends(hasty, "HELLO_EXPECTED");
    const stranger = await harness.open(transport);
    expect(stranger.errorOf(await stranger.hello({ token: "not.a.token" }))).toBe("TOKEN_INVALID");
    await ends(stranger, "UNAUTHENTICATED");
    await ends(await harness.open(transport), "HELLO_TIMEOUT");
  });

  test("heartbeats check the token; a revoked one ends with the reason", async () => {
    harness = await startTransports();
    const client = await harness.signedIn(transport, 1n);
    expect((await client.heartbeat()).kind).toBe(PacketKind.RESPONSE);
    expect((await client.heartbeat(await harness.token(1n))).kind).toBe(PacketKind.RESPONSE);
    const other = await harness.signedIn(transport, 2n);
    expect(other.errorOf(await other.heartbeat(await harness.token(1n)))).toBe("UNAUTHENTICATED");
    await ends(other, "UNAUTHENTICATED");
    harness.revoke(1n, 100n);
    const code = closeCodes.SESSION_REVOKED.code;
    expect(fromBinary(KickedSchema, (await client.packet((packet) => packet.cmd === 102)).payload).closeCode).toBe(
      code,
    );
    await ends(client, "SESSION_REVOKED");
  });

  test("the connection over the limit of a device ends the oldest, which is told why", async () => {
    harness = await startTransports({ login: { limits: { maxConnectionsPerDevice: 1 } } });
    const older = await harness.signedIn(transport, 1n);
    const newer = await harness.signedIn(transport, 1n);
    await ends(older, "REPLACED");
    expect(older.pushes(102)).toHaveLength(1);
    expect((await newer.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("drain names a time to come back, refuses new connections, then closes", async () => {
    harness = await startTransports({ login: { limits: { drainWindowMs: 300 } } });
    const client = await harness.signedIn(transport, 1n);
    const drained = harness.login.drain();
    const hint = await client.packet((packet) => packet.svid === 1 && packet.cmd === 103);
    expect(fromBinary(DrainSchema, hint.payload).reconnectAfterMs).toBeGreaterThan(0);
    const late = await harness.open(transport).then(
      (opened) => opened.closed,
      () => 0,
    );
    expect(late).toBe(0);
    expect(harness.login.stats().refused).toBeGreaterThan(0);
    await drained;
    await ends(client, "GOING_AWAY");
  });

  test("a client that does not read loses bodies, then its connection, and hurts nobody", async () => {
    const small = { slowClientDropBytes: 64 * 1024, slowClientCloseBytes: 256 * 1024, closeTimeoutMs: 200 };
    harness = await startTransports({ login: { limits: small } });
    const other = await harness.signedIn(transport, 2n);
    const client = await harness.open(transport);
    const { connectionId } = await client.signIn({ token: await harness.token(1n) });
    client.wire.pause();
    const payload = new Uint8Array(16 * 1024);
    const conversationId = new Uint8Array(16).fill(3);
    // More than the buffers of the operating system hold on both sides.
    for (let i = 0; i < 4_000 && harness.login.stats().closes.SLOW_CLIENT === undefined; i++) {
      const isBody = harness.login.stats().pushesDropped === 0;
      const more = isBody ? { conversationId, lastSeq: i + 1 } : {};
      await harness.login.deliver([{ connectionIds: [connectionId], svid: 10, cmd: 101, payload, ...more }]);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(harness.login.stats().pushesDropped).toBeGreaterThan(0);
    expect(harness.login.stats().closes.SLOW_CLIENT).toBe(1);
    expect(text((await other.call({ ...echo, payload: bytes("still here") })).payload)).toBe("still here");
    client.close();
    client.wire.resume();
  });
});
