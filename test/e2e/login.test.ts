import { connect, type Socket } from "node:net";
import { closeCodes } from "@chappe/gen/errors.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { encodePacketBatch } from "@chappe/mesh/codec/packet.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorName, helloPacket, LoginClient, packetOf } from "./login-client.ts";
import { echo, type LoginHarness, reportDelivered, startLogin } from "./login-harness.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("hostile input to the WebSocket tier", () => {
  let harness: LoginHarness;
  /** Must keep working whatever happens to others. */
  let bystander: LoginClient;

  const start = async (options: Parameters<typeof startLogin>[0] = {}): Promise<void> => {
    harness = await startLogin(options);
    bystander = await signedIn(2n);
  };
  const signedIn = async (userId: bigint): Promise<LoginClient> => {
    const client = new LoginClient(harness.url);
    await client.signIn({ token: await harness.token(userId) });
    return client;
  };
  const ends = async (client: LoginClient, close: keyof typeof closeCodes, error?: string): Promise<void> => {
    expect((await client.closed).code).toBe(closeCodes[close].code);
    if (error !== undefined) expect(client.packets.map(errorName)).toContain(error);
  };

  beforeEach(() => start());
  afterEach(async () => {
    const answer = await bystander.call({ ...echo, payload: bytes("still here") });
    expect(new TextDecoder().decode(answer.payload)).toBe("still here");
    await harness.close();
  });

  const broken: [string, Uint8Array][] = [
    ["garbage", bytes("\xff\xfe not a batch at all \x00\x01")],
    ["a truncated batch", encodePacketBatch([packetOf({ id: 1, payload: bytes("x".repeat(50)) })]).subarray(0, 20)],
    ["a varint without end", new Uint8Array(40).fill(0xff)],
    ["a length beyond the frame", Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
  ];
  test.each(broken)("%s before Hello", async (_name, frame) => {
    const client = new LoginClient(harness.url);
    await client.opened;
    client.sendBytes(frame);
    await ends(client, "BAD_FRAME", "MALFORMED_FRAME");
  });
  test.each(broken)("%s after Hello", async (_name, frame) => {
    const client = await signedIn(1n);
    client.sendBytes(frame);
    await ends(client, "BAD_FRAME", "MALFORMED_FRAME");
    expect((await harness.presence.lookup([1n]))[0]).toEqual([]);
  });

  test("a text message", async () => {
    const client = await signedIn(1n);
    client.socket.send("hello");
    await ends(client, "BAD_FRAME", "MALFORMED_FRAME");
  });

  test("a frame over the limit before Hello", async () => {
    const client = new LoginClient(harness.url);
    await client.opened;
    client.sendBytes(new Uint8Array(limits.maxHelloFrameBytes + 1));
    await ends(client, "FRAME_TOO_LARGE", "FRAME_TOO_LARGE");
  });

  test("a frame over the limit after Hello; one at the limit is good", async () => {
    const client = await signedIn(1n);
    const overhead =
      encodePacketBatch([packetOf({ ...echo, id: 999, payload: new Uint8Array(65_000) })]).length - 65_000;
    const answer = await client.call({ ...echo, id: 999, payload: new Uint8Array(limits.maxFrameBytes - overhead) });
    expect(answer.kind).toBe(PacketKind.RESPONSE);
    client.sendBytes(new Uint8Array(limits.maxFrameBytes + 1));
    await ends(client, "FRAME_TOO_LARGE", "FRAME_TOO_LARGE");
    expect(harness.login.stats().closes.FRAME_TOO_LARGE).toBe(1);
  });

  test("too many packets in one frame", async () => {
    const client = await signedIn(1n);
    client.send(...Array.from({ length: limits.maxPacketsPerFrame + 1 }, (_, i) => packetOf({ ...echo, id: i + 1 })));
    await ends(client, "BAD_FRAME", "MALFORMED_FRAME");
    expect(harness.calls).toHaveLength(0);
  });

  test.each([
    ["unknown SVID", { svid: 999, cmd: 1 }],
    ["unknown CMD", { svid: echo.svid, cmd: 4_000 }],
    ["unknown CMD of the session", { svid: 1, cmd: 77 }],
    ["an event's address", { svid: 1, cmd: 101 }],
    ["an internal method", reportDelivered],
  ])("%s", async (_name, address) => {
    const client = await signedIn(1n);
    expect(errorName(await client.call(address))).toBe("UNKNOWN_METHOD");
    expect(harness.calls).toHaveLength(0);
    expect((await client.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test.each([
    ["kind 0", { kind: 0, id: 5 }],
    ["a kind of the future", { kind: 77, id: 5 }],
    ["a RESPONSE", { kind: PacketKind.RESPONSE, id: 5 }],
    ["a PUSH", { kind: PacketKind.PUSH }],
    ["a REQUEST without id", { ...echo, id: 0 }],
  ])("%s", async (_name, fields) => {
    const client = await signedIn(1n);
    client.send(packetOf(fields));
    await ends(client, "BAD_FRAME", "MALFORMED_FRAME");
  });

  test.each([
    ["Hello", { svid: 1, cmd: 1 }, "MALFORMED_PAYLOAD"],
    ["a call before Hello", echo, "WRONG_STATE"],
    ["a heartbeat before Hello", { svid: 1, cmd: 2 }, "WRONG_STATE"],
  ])("%s with a payload that is none", async (_name, address, error) => {
    const client = new LoginClient(harness.url);
    await client.opened;
    const answer = await client.call({ ...address, payload: Uint8Array.of(0x0a, 0x7f) });
    expect(errorName(answer)).toBe(error);
    await ends(client, error === "WRONG_STATE" ? "HELLO_EXPECTED" : "BAD_FRAME");
  });

  test("Hello that breaks a rule names the field", async () => {
    const client = new LoginClient(harness.url);
    expect(errorName(await client.hello({ token: "x", deviceId: 0n }))).toBe("INVALID_ARGUMENT");
    await ends(client, "BAD_FRAME");
  });

  test("a heartbeat and an ACK with a payload that is none", async () => {
    const client = await signedIn(1n);
    const answer = await client.call({ svid: 1, cmd: 2, payload: Uint8Array.of(0x0a, 0x7f) });
    expect(errorName(answer)).toBe("MALFORMED_PAYLOAD");
    await ends(client, "BAD_FRAME");
    const other = await signedIn(1n);
    other.send(packetOf({ kind: PacketKind.ACK, payload: Uint8Array.of(0x0a, 0x04, 0x0a, 0x02, 1, 2) }));
    await ends(other, "BAD_FRAME", "MALFORMED_PAYLOAD");
  });

  test("a second Hello is refused and the session stays", async () => {
    const client = await signedIn(1n);
    expect(errorName(await client.hello({ token: await harness.token(1n) }))).toBe("WRONG_STATE");
    expect((await client.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("calls before the welcome are refused, not served, and answered after it", async () => {
    const client = new LoginClient(harness.url);
    await client.opened;
    client.send(helloPacket(1, { token: await harness.token(1n) }), packetOf({ ...echo, id: 2 }));
    expect(errorName(await client.packet((packet) => packet.id === 2))).toBe("WRONG_STATE");
    expect(client.packets.map((packet) => packet.id)).toEqual([1, 2]);
    expect(harness.calls).toHaveLength(0);
    expect((await client.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("a backend that throws at once is an answer, not a crash", async () => {
    harness.handle = () => {
      throw new TypeError("secret detail");
    };
    const client = await signedIn(1n);
    const answer = await client.call(echo);
    expect(errorName(answer)).toBe("INTERNAL");
    expect(Buffer.from(answer.payload).toString("latin1")).not.toContain("secret");
    harness.handle = async (call) => call.payload;
  });

  test("a backend that never answers is a DEADLINE_EXCEEDED", async () => {
    const client = await signedIn(1n);
    harness.handle = (call) => (call.payload.length === 0 ? new Promise(() => {}) : Promise.resolve(call.payload));
    expect(errorName(await client.call({ ...echo, timeoutMs: 20 }))).toBe("DEADLINE_EXCEEDED");
  });

  test("calls in flight are bounded", async () => {
    harness.handle = (call) => (call.payload.length === 0 ? new Promise(() => {}) : Promise.resolve(call.payload));
    const client = await signedIn(1n);
    const ids = Array.from({ length: limits.maxCallsInFlightPerConnection }, (_, i) => i + 1_000);
    client.send(...ids.map((id) => packetOf({ ...echo, id })));
    expect(errorName(await client.call(echo))).toBe("OVERLOADED");
  });

  test("other paths, plain HTTP and foreign origins are refused at the door", async () => {
    const status = (head: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket: Socket = connect(harness.port, "127.0.0.1", () => socket.write(head));
        socket.once("data", (data) => {
          resolve(data.toString().split("\r\n")[0]!);
          socket.destroy();
        });
        socket.once("error", reject);
      });
    const upgrade = (more: string): string =>
      `GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:${harness.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;
    expect(await status(upgrade(""))).toContain("101");
    expect(await status(upgrade(`Origin: http://127.0.0.1:${harness.port}\r\n`))).toContain("101");
    expect(await status(upgrade("Origin: https://evil.example\r\n"))).toContain("403");
    expect(await status(upgrade("Origin: null\r\n"))).toContain("403");
  });
});

describe("limits of time and rate", () => {
  let harness: LoginHarness;
  afterEach(() => harness.close());

  test("no Hello in time", async () => {
    harness = await startLogin({ limits: { helloTimeoutMs: 60 } });
    const client = new LoginClient(harness.url);
    expect((await client.closed).code).toBe(closeCodes.HELLO_TIMEOUT.code);
  });

  test("a registry that does not answer is a Hello timeout, and leaves nothing behind", async () => {
    harness = await startLogin({
      limits: { helloTimeoutMs: 60 },
      registry: { register: () => new Promise(() => {}), unregister: async () => {} },
    });
    const client = new LoginClient(harness.url);
    await client.opened;
    void client.hello({ token: await harness.token(1n) }).catch(() => undefined);
    expect((await client.closed).code).toBe(closeCodes.HELLO_TIMEOUT.code);
  });

  test("no frame for the heartbeat timeout", async () => {
    harness = await startLogin({ limits: { heartbeatTimeoutMs: 60 } });
    const client = new LoginClient(harness.url);
    await client.signIn({ token: await harness.token(1n) });
    expect((await client.closed).code).toBe(closeCodes.HEARTBEAT_TIMEOUT.code);
    expect((await harness.presence.lookup([1n]))[0]).toEqual([]);
  });

  test("a flood of frames ends its own connection only", async () => {
    harness = await startLogin({ limits: { frameBurstPerConnection: 50, framesPerSecondPerConnection: 1 } });
    const [flooder, bystander] = [new LoginClient(harness.url), new LoginClient(harness.url)];
    await flooder.signIn({ token: await harness.token(1n) });
    await bystander.signIn({ token: await harness.token(2n) });
    for (let i = 0; i < 60; i++) flooder.sendBytes(new Uint8Array(0));
    expect((await flooder.closed).code).toBe(closeCodes.RATE_LIMITED.code);
    expect(flooder.packets.map(errorName)).toContain("RATE_LIMITED");
    expect((await bystander.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });

  test("connections beyond the limit get 503", async () => {
    harness = await startLogin({ limits: { maxConnections: 1 } });
    const first = new LoginClient(harness.url);
    await first.signIn({ token: await harness.token(1n) });
    const second = new LoginClient(harness.url);
    await expect(second.opened).rejects.toThrow();
    expect(harness.login.stats()).toMatchObject({ refused: 1, connections: 1 });
    expect((await first.call(echo)).kind).toBe(PacketKind.RESPONSE);
  });
});
