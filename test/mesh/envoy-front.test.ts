import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { callHttp } from "@chappe/bench/support/accounts.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { talkOverEveryTransport } from "../e2e/talk-over-every-transport.ts";
import { type HttpUser, registerUser } from "../support/http-user.ts";
import { grpcWire } from "../support/transports/grpc-wire.ts";
import { tcpWire } from "../support/transports/tcp-wire.ts";
import { TransportClient } from "../support/transports/transport-client.ts";
import { openTicket, udpWire } from "../support/transports/udp-wire.ts";
import { webSocketWire } from "../support/transports/web-socket-wire.ts";
import { type EnvoyWorld, startEnvoyWorld } from "./support/envoy-world.ts";
import { unaryGrpc } from "./support/unary-grpc.ts";

const listHeads = "chappe.business.v1.SyncService/ListHeads";
const run = promisify(execFile);

let world: EnvoyWorld;
let user: HttpUser;
let url: string;
beforeAll(async () => {
  world = await startEnvoyWorld();
  url = `http://127.0.0.1:${world.envoy.settings.port}`;
  user = await registerUser(url, "alice");
}, 120_000);
afterAll(() => world.close());

it("carries every transport but UDP, which goes around it: members over each talk in one group, get all, in order", async () => {
  const { port, tcpPort: tcp, udpPort: udp } = world.envoy.settings;
  await talkOverEveryTransport([{ url, port, listenerPorts: { tcp: tcp!, grpc: port, udp: udp! } }]);
});

it("carries UDP to a single Login", async () => {
  const { port, udpPort } = world.envoy.settings;
  const ticket = await openTicket(port, user.token);
  expect(ticket.port).toBe(world.server.ready.udp);
  const client = await TransportClient.open(udpWire({ ...ticket, port: udpPort! }));
  await client.signIn({ token: user.token, deviceId: 9n });
  client.close();
  expect(await world.envoy.admin("/stats?filter=^udp\\.udp\\.downstream_sess_total$")).toContain(": 1");
});

it("answers Connect JSON over TLS with HTTP/1.1 and HTTP/2, as curl sees it", async () => {
  const { port } = world.tls.settings;
  for (const [flag, version] of [
    ["--http1.1", "1.1"],
    ["--http2", "2"],
  ] as const) {
    const { stdout } = await run("curl", [
      ...["-sS", flag, "--cacert", world.certificateFile, "-w", "\n%{http_version} %{http_code}"],
      ...["-H", "content-type: application/json", "-H", `authorization: Bearer ${user.token}`],
      ...["-d", "{}", `https://127.0.0.1:${port}/${listHeads}`],
    ]);
    expect(stdout.split("\n").at(-1)).toBe(`${version} 200`);
  }
});

describe("a call that may not be", () => {
  const tokens: Readonly<Record<string, () => Promise<string | undefined>>> = {
    "without a token": async () => undefined,
    "with an expired token": () => world.tokenLike(user.token, { agoMs: 3_600_000 }),
    "with a foreign token": () => world.tokenLike(user.token, { foreign: true }),
  };

  it.each(Object.keys(tokens))("%s stops at Envoy, and at the service when Envoy is bypassed", async (name) => {
    const token = await tokens[name]!();
    const options = token === undefined ? {} : { token };
    const call = (port: number): Promise<unknown> => callHttp(port, listHeads, {}, options);
    const before = await upstreamRequests();
    await expect(call(world.envoy.settings.port)).rejects.toThrow(/answered 401: .*"unauthenticated"/);
    expect((await unaryGrpc(world.envoy.settings.port, listHeads, token)).code).toBe(16);
    expect(await upstreamRequests()).toBe(before);
    await expect(call(world.server.port)).rejects.toThrow(/answered 401/);
    expect((await unaryGrpc(world.server.ready.grpc!, listHeads, token)).code).toBe(16);
  });

  it.each(["with an expired token", "with a foreign token"])(
    "a long connection %s is closed by Login",
    async (name) => {
      const token = (await tokens[name]!())!;
      const { port, tcpPort } = world.envoy.settings;
      for (const wire of [webSocketWire(port), grpcWire(port), tcpWire(tcpPort!)]) {
        const client = await TransportClient.open(wire);
        const answer = await client.hello({ token });
        expect(client.errorOf(answer)).toMatch(/^TOKEN_(INVALID|EXPIRED)$/);
        expect(await client.closed).toBe(name.includes("expired") ? 4004 : 4003);
      }
    },
  );

  it("of a method that the contract closes to clients finds no such method, whatever the token", async () => {
    const method = "chappe.business.v1.SyncService/ReportDelivered";
    await expect(callHttp(world.envoy.settings.port, method, {}, { token: user.token })).rejects.toThrow(
      /answered 404/,
    );
    expect((await unaryGrpc(world.envoy.settings.port, method, user.token)).code).toBe(12);
    expect((await unaryGrpc(world.envoy.settings.port, "grpc.health.v1.Health/Check", user.token)).code).toBe(12);
  });

  it("lets good tokens through", async () => {
    expect((await unaryGrpc(world.envoy.settings.port, listHeads, user.token)).code).toBe(0);
    expect(await callHttp(world.envoy.settings.port, listHeads, {}, { token: user.token })).toBeDefined();
  });
});

/** Requests that Envoy has given to Login for clients, over HTTP/1.1 and HTTP/2. */
async function upstreamRequests(): Promise<number> {
  const stats = await world.envoy.admin(
    "/stats?filter=^cluster\\.login_(http|grpc|listen)\\.external\\.upstream_rq_completed$",
  );
  return stats.split("\n").reduce((sum, line) => sum + Number(line.split(": ")[1] ?? 0), 0);
}

it("writes one line of JSON a request, with the trace that the request belongs to", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const headers = { "content-type": "application/json", traceparent, authorization: `Bearer ${user.token}` };
  await fetch(`${url}/${listHeads}?secret=1`, { method: "POST", headers, body: "{}" });
  await expect.poll(() => readFileSync(world.envoy.logFile, "utf8"), { timeout: 15_000 }).toContain(traceparent);
  const line = readFileSync(world.envoy.logFile, "utf8")
    .split("\n")
    .find((each) => each.includes(traceparent))!;
  expect(JSON.parse(line)).toMatchObject({ method: "POST", path: `/${listHeads}`, status: 200, client: "127.0.0.1" });
  expect(line).not.toContain("secret");
  expect(line).not.toContain(user.token);
});
