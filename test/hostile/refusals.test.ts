import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { HeartbeatRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { createPacket, encodePacketBatch } from "@chappe/mesh/codec/packet.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { lengthHeader } from "@chappe/services/login/tcp/tcp-frames.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fragments } from "../conformance/web-socket/echo-case.ts";
import { frameOf, opcodes, RawWebSocket } from "../conformance/web-socket/raw-web-socket.ts";
import { helloPacket } from "../e2e/login-client.ts";
import { callJson, registerUser } from "../support/http-user.ts";
import { errorOf, openSession } from "../support/socket-client.ts";
import { tcpWire } from "../support/transports/tcp-wire.ts";
import { TransportClient } from "../support/transports/transport-client.ts";
import { type CalmClients, startCalmClients } from "./calm-clients.ts";

const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
const dataDir = mkdtempSync(join(tmpdir(), "chappe-refusals-"));
const { binary, ping } = opcodes;
/** What a machine with other work adds; the attackers share the thread of the calm clients. */
const noiseMs = 100;
const options = { retry: 4 };
/** Bombs of so much may be on their way when the server has closed already. */
const longBytes = 4_096;
const attackers = 4;
/** Attackers come again for so long, with a pause between: the calm ones send enough meanwhile for a 99th percentile. */
const attackMs = 1_500;
const pauseMs = 50;

let server: ServerProcess;
let url: string;
let calm: CalmClients;
let token: string;
let lastDevice = 0n;

beforeAll(async () => {
  server = await startServer({ dataDir, env, args: ["--tcp-port", "0"] });
  url = `http://127.0.0.1:${server.port}`;
  ({ token } = await registerUser(url, "mallory"));
  calm = await startCalmClients(url, 4);
});
afterAll(async () => {
  await calm.close();
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Does something again and again in lanes, while the calm clients send; answers how it ended, each way once. */
async function inLanes(one: () => Promise<number | string>) {
  const untilMs = performance.now() + attackMs;
  const ends = new Set<number | string>();
  const lane = async (): Promise<void> => {
    do {
      ends.add(await one());
      await pause(pauseMs);
    } while (performance.now() < untilMs);
  };
  const { p99Ms } = await calm.during(Promise.all(Array.from({ length: attackers }, lane)));
  return { ends: [...ends], p99Ms };
}

/** A visitor who signs in, does no harm and leaves. */
async function visit(): Promise<string> {
  (await openWelcomed(++lastDevice)).close();
  return "left";
}

/**
 * Runs an attack; answers how it ended. What the calm clients feel is compared with as many harmless visitors, in the
 * moment before: other work on the machine comes and goes.
 */
async function attack(one: () => Promise<number | string>): Promise<(number | string)[]> {
  const { p99Ms: quietP99Ms } = await inLanes(visit);
  const { ends, p99Ms } = await inLanes(one);
  expect(p99Ms).toBeLessThanOrEqual(Math.max(2 * quietP99Ms, quietP99Ms + noiseMs));
  return ends;
}

/** Waits for the server's close and its code; the connection is not kept for the answer to it. */
async function closeCodeOf(client: RawWebSocket): Promise<number> {
  const isClosing = (): boolean => client.isEnded || client.frames.some(({ opcode }) => opcode === opcodes.close);
  await client.until(isClosing);
  client.close();
  return client.closeCode();
}

/** A WebSocket whose Hello has been answered. */
async function openWelcomed(deviceId: bigint): Promise<RawWebSocket> {
  const client = await RawWebSocket.open(server.port);
  await client.send(frameOf(binary, encodePacketBatch([helloPacket(1, { token, deviceId })])));
  await client.until(() => client.payloads(binary).length > 0);
  return client;
}

const group = (depth: number): Buffer => Buffer.alloc(depth, 0x0b);
const requests = (count: number): Uint8Array =>
  encodePacketBatch(
    Array.from({ length: count }, (_, i) => createPacket({ kind: PacketKind.REQUEST, svid: 1, cmd: 2, id: i + 1 })),
  );
const pieces = (count: number, bytes: number): Buffer[] => Array.from({ length: count }, () => Buffer.alloc(bytes));

const silent = async (): Promise<number> => closeCodeOf(await RawWebSocket.open(server.port));
const halfFrame = async (): Promise<number> => {
  const client = await TransportClient.open(tcpWire(server.ready.tcp!, lengthHeader(1_000).subarray(0, 3)));
  return client.closed;
};
const trickle = async (): Promise<number> => {
  const client = await RawWebSocket.open(server.port);
  const frame = frameOf(binary, Buffer.alloc(1_000));
  let at = 0;
  const timer = setInterval(() => client.socket.write(frame.subarray(at, ++at)), 100);
  return closeCodeOf(client).finally(() => clearInterval(timer));
};

it("who says nothing, half a length or a byte at a time is closed at the Hello limit", options, async () => {
  const all = async (): Promise<string> => {
    const startMs = performance.now();
    const codes = await Promise.all([silent(), halfFrame(), trickle()]);
    const tookMs = performance.now() - startMs;
    return `${codes} ${tookMs < 2 * limits.helloTimeoutMs ? "in time" : "late"}`;
  };
  expect(await attack(all)).toEqual(["4001,4001,4001 in time"]);
});

/** What a client sends, and how it is closed. */
const bombs: readonly (readonly [string, () => readonly Buffer[], number])[] = [
  [
    "more fragments than a message may have",
    () => fragments(binary, pieces(limits.maxFragmentsPerMessage + 1, 1)),
    1008,
  ],
  ["fragments that are too large together", () => fragments(binary, pieces(20, 4_096)), 1009],
  ["a length of a tebibyte", () => [frameOf(binary, "", { announcedBytes: 2n ** 40n })], 1009],
  ["a compressed frame, which nobody has agreed to", () => [frameOf(binary, Buffer.alloc(100), { rsv: 4 })], 1002],
  ["a text frame", () => [frameOf(opcodes.text, "{}")], 4000],
  ["more packets than a frame may have", () => [frameOf(binary, requests(limits.maxPacketsPerFrame + 1))], 4000],
  ["groups in groups", () => [frameOf(binary, group(60_000))], 4000],
  ["a packet that is longer than its frame", () => [frameOf(binary, Buffer.of(0x0a, 0xff, 0x7f, 0))], 4000],
  ["an acknowledgement of thousands", () => [frameOf(binary, hugeAck())], 4000],
  ["more frames than the rate allows", () => flood(binary), 4009],
  ["more pings than the rate allows", () => flood(ping), 4009],
];

function hugeAck(): Uint8Array {
  const payload = Buffer.alloc(60_000, Buffer.of(0x0a, 0));
  return encodePacketBatch([createPacket({ kind: PacketKind.ACK, payload })]);
}

function flood(opcode: number): Buffer[] {
  return Array.from({ length: limits.frameBurstPerConnection + 500 }, () => frameOf(opcode));
}

describe("a signed-in client is closed for", options, () => {
  it.each(bombs)("%s", async (_name, make, closeCode) => {
    const frames = Buffer.concat(make());
    const throwOne = async (): Promise<number> => {
      const client = await openWelcomed(++lastDevice);
      await client.send(frames);
      return closeCodeOf(client);
    };
    const ends = await attack(throwOne);
    // Who goes on sending into a closed connection may lose its last words to the reset.
    expect(ends.filter((end) => end !== 1006 || frames.length < longBytes)).toEqual([closeCode]);
  });
});

describe("before Hello", options, () => {
  it("a frame is bounded more tightly", async () => {
    const large = frameOf(binary, Buffer.alloc(limits.maxHelloFrameBytes + 1));
    const send = async (): Promise<number> => {
      const client = await RawWebSocket.open(server.port);
      await client.send(large);
      return closeCodeOf(client);
    };
    expect(await attack(send)).toEqual([1009]);
  });
});

describe("a revoked token", options, () => {
  const signIn = async (): Promise<string> => {
    const credentials = { name: "mallory", password: "correct horse" };
    const method = "chappe.business.v1.AuthService/SignIn";
    const { tokens } = await callJson<{ tokens: { accessToken: string } }>(url, method, credentials);
    return tokens.accessToken;
  };
  const signOut = (bearer: string) => callJson(url, "chappe.business.v1.AuthService/SignOut", {}, bearer);

  it("ends its connection at once, and the connection of who brings it by a heartbeat", async () => {
    const bring = async (): Promise<string> => {
      const revoked = await signIn();
      const own = await openSession(url, revoked, ++lastDevice);
      const other = await openSession(url, token, ++lastDevice);
      await signOut(revoked);
      const ownCode = await own.closed;
      const payload = toBinary(HeartbeatRequestSchema, create(HeartbeatRequestSchema, { token: revoked }));
      other.send({ kind: PacketKind.REQUEST, svid: 1, cmd: 2, id: 9, payload });
      const answer = errorOf(await other.take(({ id }) => id === 9));
      return `${ownCode} ${answer.name} ${await other.closed}`;
    };
    expect(await attack(bring)).toEqual(["4005 SESSION_REVOKED 4005"]);
  });
});
