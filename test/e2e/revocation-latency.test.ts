import { fromBinary } from "@bufbuild/protobuf";
import { closeCodes } from "@chappe/gen/errors.ts";
import { KickedSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { RunningRoles } from "@chappe/services/all/start-roles.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { callJson, registerUser } from "../support/http-user.ts";
import { type LocalMesh, startLocalMesh } from "../support/local-mesh.ts";
import { connectWire } from "../support/transports/connect-wire.ts";
import { grpcWire } from "../support/transports/grpc-wire.ts";
import { tcpWire } from "../support/transports/tcp-wire.ts";
import { type OpenWire, TransportClient } from "../support/transports/transport-client.ts";
import { openTicket, udpWire } from "../support/transports/udp-wire.ts";
import { webSocketWire } from "../support/transports/web-socket-wire.ts";

/** Each user has two sessions, at different Logins and transports. */
const users = 25;
const password = "correct horse";
/** An order of magnitude, so that a machine with other work passes; revocations take a few milliseconds. */
const mostP99Ms = 2_000;

const wires: readonly ((door: RunningRoles, token: string) => Promise<OpenWire>)[] = [
  async ({ port }) => webSocketWire(port!),
  async ({ listenerPorts }) => tcpWire(listenerPorts!.tcp!),
  async ({ listenerPorts }) => grpcWire(listenerPorts!.grpc!),
  async ({ port }) => connectWire(port!, "connect"),
  async ({ port }) => connectWire(port!, "grpc-web"),
  async ({ port }, token) => udpWire(await openTicket(port!, token)),
];

interface LiveSession {
  readonly token: string;
  readonly client: TransportClient;
}

let mesh: LocalMesh;
let doors: RunningRoles[];
beforeAll(async () => {
  mesh = await startLocalMesh();
  doors = [await mesh.start("login", "login-1"), await mesh.start("login", "login-2")];
});
afterAll(() => mesh?.close());

const urlOf = ({ port }: RunningRoles): string => `http://127.0.0.1:${port}`;

async function openLive(index: number, token: string): Promise<LiveSession> {
  const door = doors[index % doors.length]!;
  const wire = wires[Math.floor(index / doors.length) % wires.length]!;
  const client = await TransportClient.open(await wire(door, token));
  await client.signIn({ token, deviceId: BigInt(index + 1) });
  return { token, client };
}

/** First one session of each user, then the other of each. */
async function openAll(): Promise<LiveSession[]> {
  const tokens: string[] = [];
  for (let i = 0; i < users; i++) tokens.push((await registerUser(urlOf(doors[0]!), `leaver-${i}`)).token);
  for (let i = 0; i < users; i++) {
    const { tokens: again } = await callJson<{ tokens: { accessToken: string } }>(
      urlOf(doors[1]!),
      "chappe.business.v1.AuthService/SignIn",
      { name: `leaver-${i}`, password },
    );
    tokens.push(again.accessToken);
  }
  const sessions: LiveSession[] = [];
  for (const [i, token] of tokens.entries()) sessions.push(await openLive(i, token));
  return sessions;
}

test("each session that is signed out ends at once, over any transport, with the reason; no other one does", async () => {
  const sessions = await openAll();
  const latencies: number[] = [];
  for (const [i, { token, client }] of sessions.entries()) {
    // Signed out at the other Login: the word has to travel.
    const door = doors[(i + 1) % doors.length]!;
    const startMs = performance.now();
    await Promise.all([
      callJson(urlOf(door), "chappe.business.v1.AuthService/SignOut", {}, token),
      client.closed.then(() => latencies.push(performance.now() - startMs)),
    ]);
    expect(client.pushes(102).map(({ payload }) => fromBinary(KickedSchema, payload).closeCode)).toEqual([
      closeCodes.SESSION_REVOKED.code,
    ]);
    expect(await client.closed).toBe(closeCodes.SESSION_REVOKED.code);
    expect(sessions.map((other) => other.client.isClosed)).toEqual(sessions.map((_, at) => at <= i));
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.ceil(latencies.length * share) - 1]!;
  console.log(
    JSON.stringify({ revocations: latencies.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: latencies.at(-1) }),
  );
  expect(at(0.99)).toBeLessThan(mostP99Ms);
});
