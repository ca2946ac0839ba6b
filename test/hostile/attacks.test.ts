import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { type ChappeClient, connect, register } from "@chappe/sdk/src/index.ts";
import { createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Outcomes, Target } from "./target.ts";

const clientsCount = 8;
const sendEveryMs = 40;
const baselineMs = 4_000;
/**
 * Two cores carry server, clients and attackers: a percentile moves by so much without anybody attacking, and twice more
 * is tried before it counts. What these attacks did before they were answered was 1,000 ms and more.
 */
const noiseMs = 100;
const options = { retry: 2 };

const dataDir = mkdtempSync(join(tmpdir(), "chappe-hostile-"));
let server: ServerProcess;
let target: Target;
let clients: ChappeClient[];
let groupId: Uint8Array;
let quietP99Ms = 0;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends of all clients until `until` settles; answers the 99th percentile from send to acknowledgement, in ms. */
async function probe(until: Promise<unknown>): Promise<number> {
  const took: number[] = [];
  let over = false;
  void until.finally(() => {
    over = true;
  });
  const sends: Promise<void>[] = [];
  const lane = async (client: ChappeClient): Promise<void> => {
    await pause(Math.random() * sendEveryMs);
    while (!over) {
      const startMs = performance.now();
      const { durable } = client.send(groupId, { text: "still here" });
      sends.push(durable.then(() => void took.push(performance.now() - startMs)));
      await pause(sendEveryMs);
    }
  };
  await Promise.all(clients.map(lane));
  await Promise.all(sends);
  took.sort((a, b) => a - b);
  return took[Math.floor(took.length * 0.99)]!;
}

function attack(name: string, forMs: number): Promise<Outcomes> {
  const worker = new Worker(new URL("./attack-worker.ts", import.meta.url), { workerData: { name, target, forMs } });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

beforeAll(async () => {
  const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
  const args = ["--tcp-port", "0", "--grpc-port", "0", "--udp-port", "0"];
  server = await startServer({ dataDir, args, env });
  const { tcp = 0, grpc = 0, udp = 0 } = server.ready;
  const url = `http://127.0.0.1:${server.port}`;
  const accounts = await Promise.all(
    Array.from({ length: clientsCount }, (_, i) => register({ url, name: `guest${i}`, password: "correct horse" })),
  );
  clients = await Promise.all(accounts.map(({ accessToken }) => connect({ url, token: accessToken })));
  const memberIds = accounts.slice(1).map(({ userId }) => userId);
  const group = await createClient(GroupService, clients[0]!.transport).createGroup({ title: "calm", memberIds });
  groupId = group.group!.conversationId;
  const [{ accessToken: token, userId }] = accounts as [(typeof accounts)[0]];
  target = { http: server.port, tcp, grpc, udp, token, userId };
  await probe(pause(1_000));
  quietP99Ms = await probe(attack("busy", baselineMs));
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Case {
  readonly name: string;
  readonly forMs: number;
  /** Outcomes that may be, each as often as it likes. */
  readonly met: RegExp;
  /** What must have been met so often at least. */
  readonly least: readonly [RegExp, number];
}

const cases: readonly Case[] = [
  { name: "slowloris", forMs: 14_000, met: /^408$/, least: [/^408$/, 300] },
  { name: "silentFlood", forMs: 8_000, met: /^closed (4001|4010|0)$|^failed$|^unheard$/, least: [/4001/, 500] },
  { name: "frameBombs", forMs: 3_000, met: /^closed (0|4000|4009|4010|1009)$|^failed$/, least: [/closed/, 50] },
  { name: "foreignTokens", forMs: 3_000, met: /^TOKEN_INVALID, closed 4003$|^failed$/, least: [/4003/, 50] },
  { name: "rapidReset", forMs: 12_000, met: /^closed/, least: [/closed/, 3] },
];

it.each(cases)("$name is refused, and the others do not feel it", options, async ({ name, forMs, met, least }) => {
  const attacking = attack(name, forMs);
  const p99Ms = await probe(attacking);
  const outcomes = await attacking;
  console.log(name, outcomes, `p99 ${p99Ms.toFixed(1)} ms, quiet ${quietP99Ms.toFixed(1)} ms`);
  for (const outcome of Object.keys(outcomes)) expect(outcome).toMatch(met);
  const [what, times] = least;
  const sum = Object.entries(outcomes).reduce((all, [key, value]) => all + (what.test(key) ? value : 0), 0);
  expect(sum).toBeGreaterThanOrEqual(times);
  expect(p99Ms).toBeLessThanOrEqual(Math.max(2 * quietP99Ms, quietP99Ms + noiseMs));
});

it("spoofed datagrams are answered with fewer bytes than they have", options, async () => {
  const attacking = attack("udpSpoofing", 3_000);
  const p99Ms = await probe(attacking);
  const { bytesOut = 0, bytesBack = 0 } = await attacking;
  console.log("udpSpoofing", { bytesOut, bytesBack }, `p99 ${p99Ms.toFixed(1)} ms, quiet ${quietP99Ms.toFixed(1)} ms`);
  expect(bytesOut).toBeGreaterThan(1_000_000);
  expect(bytesBack).toBeGreaterThan(0);
  expect(bytesBack).toBeLessThanOrEqual(bytesOut);
  expect(p99Ms).toBeLessThanOrEqual(Math.max(2 * quietP99Ms, quietP99Ms + noiseMs));
});

it("replayed datagrams change nothing", options, async () => {
  const attacking = attack("udpReplay", 3_000);
  const p99Ms = await probe(attacking);
  const outcomes = await attacking;
  console.log("udpReplay", outcomes, `p99 ${p99Ms.toFixed(1)} ms, quiet ${quietP99Ms.toFixed(1)} ms`);
  expect(outcomes.replayed).toBeGreaterThan(5_000);
  expect(outcomes["answers to one heartbeat"]).toBe(1);
  expect(p99Ms).toBeLessThanOrEqual(Math.max(2 * quietP99Ms, quietP99Ms + noiseMs));
});
