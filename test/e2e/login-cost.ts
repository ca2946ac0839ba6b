/**
 * Cost of Login, measured from outside: `node --expose-gc test/e2e/login-cost.ts` prints bytes per idle connection (slope
 * of the server's resident memory) and deliveries per CPU second of a fan-out. Not a test: figures depend on the machine.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { encodePacketBatch } from "@chappe/mesh/codec/packet.ts";
import { newGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";
import { helloPacket } from "./login-client.ts";
import { type LoginHarness, startLogin } from "./login-harness.ts";
import { maskedFrame } from "./login-slow-client.ts";

const connectionsLow = 2_000;
const connectionsHigh = 5_000;
const fanOut = 1_000;
const rounds = 1_000;
const payloadBytes = 150;

type Request =
  | { readonly kind: "tokens"; readonly from: number; readonly to: number }
  | { readonly kind: "memory" }
  | { readonly kind: "fan-out"; readonly perTurn: number; readonly messages: boolean };

async function fanOutCost(harness: LoginHarness, perTurn: number, messages: boolean) {
  const connectionIds = (await harness.presence.lookup(users(1, fanOut))).map(([entry]) => entry!.connectionId);
  const conversationId = newGroupId();
  const before = harness.login.stats();
  const started = process.cpuUsage();
  const startedMs = performance.now();
  for (let round = 0; round < rounds; round += perTurn) {
    const deliveries: Delivery[] = Array.from({ length: perTurn }, (_, i) => ({
      connectionIds,
      svid: 20,
      cmd: 101,
      payload: new Uint8Array(payloadBytes).fill(round),
      ...(messages ? { conversationId, lastSeq: round + i + 1 } : {}),
    }));
    await harness.login.deliver(deliveries);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(started);
  const after = harness.login.stats();
  const cpuSeconds = (user + system) / 1e6;
  return {
    perTurn,
    tailRule: messages,
    deliveries: rounds * fanOut,
    dropped: after.pushesDropped - before.pushesDropped,
    frames: after.framesOut - before.framesOut,
    cpuSeconds,
    wallSeconds: (performance.now() - startedMs) / 1e3,
    deliveriesPerCpuSecond: Math.round((rounds * fanOut) / cpuSeconds),
    framesPerCpuSecond: Math.round((after.framesOut - before.framesOut) / cpuSeconds),
  };
}

const users = (from: number, to: number): bigint[] => Array.from({ length: to - from + 1 }, (_, i) => BigInt(from + i));

async function serve(): Promise<void> {
  const harness = await startLogin();
  const answer = async (request: Request): Promise<void> => {
    if (request.kind === "tokens") {
      process.send!(await Promise.all(users(request.from, request.to).map((user) => harness.token(user))));
    } else if (request.kind === "memory") {
      for (let i = 0; i < 3; i++) {
        (globalThis as { gc?: () => void }).gc?.();
        await sleep(300);
      }
      process.send!({ rss: process.memoryUsage().rss, connections: harness.login.stats().connections });
    } else {
      process.send!(await fanOutCost(harness, request.perTurn, request.messages));
    }
  };
  process.on("message", (request: Request) => void answer(request));
  process.send!({ port: harness.port });
}

async function ask<Answer>(server: ChildProcess, request: Request): Promise<Answer> {
  server.send(request);
  return (await once(server, "message"))[0] as Answer;
}

async function openOne(port: number, token: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await once(socket, "data");
  socket.write(maskedFrame(encodePacketBatch([helloPacket(1, { token })])));
  await once(socket, "data");
  socket.resume();
  return socket;
}

async function openAll(server: ChildProcess, port: number, from: number, to: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let at = from; at <= to; at += 100) {
    const tokens = await ask<string[]>(server, { kind: "tokens", from: at, to: Math.min(to, at + 99) });
    sockets.push(...(await Promise.all(tokens.map((token) => openOne(port, token)))));
  }
  return sockets;
}

async function main(): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), ["serve"], { execArgv: ["--expose-gc"] });
  const { port } = (await once(server, "message"))[0] as { port: number };
  const sockets = await openAll(server, port, 1, connectionsLow);
  const low = await ask<{ rss: number; connections: number }>(server, { kind: "memory" });
  sockets.push(...(await openAll(server, port, connectionsLow + 1, connectionsHigh)));
  const high = await ask<{ rss: number; connections: number }>(server, { kind: "memory" });
  console.log({ low, high, bytesPerConnection: (high.rss - low.rss) / (high.connections - low.connections) });
  for (const messages of [false, true])
    for (const perTurn of [1, 4]) console.log(await ask(server, { kind: "fan-out", perTurn, messages }));
  for (const socket of sockets) socket.destroy();
  server.kill();
}

await (process.argv[2] === "serve" ? serve() : main());
