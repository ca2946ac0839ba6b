import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type CalmClients, startCalmClients } from "./calm-clients.ts";
import type { Outcomes, Target } from "./target.ts";

const clientsCount = 8;
const warmupMs = 1_000;
const baselineMs = 4_000;
/**
 * Two cores carry server, clients and attackers: a percentile moves by so much without anybody attacking. Each try is
 * compared with the moment before it, not with the start of the file, since other work on the machine comes and goes;
 * an attack that hurts does so in every try. What these did before they were answered was 1,000 ms and more.
 */
const noiseMs = 100;
const options = { retry: 4 };

const dataDir = mkdtempSync(join(tmpdir(), "chappe-hostile-"));
let server: ServerProcess;
let target: Target;
let calm: CalmClients;

function attack(name: string, forMs: number): Promise<Outcomes> {
  const worker = new Worker(new URL("./attack-worker.ts", import.meta.url), { workerData: { name, target, forMs } });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

/** Attacks while the calm clients send; answers what the attack met, and what it cost them beside what they had before. */
async function besideCalm(name: string, forMs: number) {
  const { p99Ms: quietP99Ms } = await calm.during(attack("busy", baselineMs));
  const { result: outcomes, p99Ms } = await calm.during(attack(name, forMs));
  console.log(name, outcomes, `p99 ${p99Ms.toFixed(1)} ms, quiet ${quietP99Ms.toFixed(1)} ms`);
  return { outcomes, p99Ms, mostP99Ms: Math.max(2 * quietP99Ms, quietP99Ms + noiseMs) };
}

beforeAll(async () => {
  const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
  const args = ["--tcp-port", "0", "--grpc-port", "0", "--udp-port", "0"];
  server = await startServer({ dataDir, args, env });
  const { tcp = 0, grpc = 0, udp = 0 } = server.ready;
  const url = `http://127.0.0.1:${server.port}`;
  calm = await startCalmClients(url, clientsCount);
  const { accessToken: token, userId } = calm.first;
  target = { http: server.port, tcp, grpc, udp, token, userId };
  await calm.during(attack("busy", warmupMs));
});
afterAll(async () => {
  await calm.close();
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
  // Ends earlier: each socket is closed by the server after 12 s at most, and dropped by the attack after 30 s.
  { name: "slowloris", forMs: 30_000, met: /^408$/, least: [/^408$/, 300] },
  { name: "silentFlood", forMs: 8_000, met: /^closed (4001|4010|0)$|^failed$|^unheard$/, least: [/4001/, 500] },
  { name: "foreignTokens", forMs: 5_000, met: /^TOKEN_INVALID, closed 4003$|^failed$/, least: [/4003/, 50] },
  { name: "rapidReset", forMs: 12_000, met: /^closed/, least: [/closed/, 3] },
];

it.each(cases)("$name is refused, and the others do not feel it", options, async ({ name, forMs, met, least }) => {
  const { outcomes, p99Ms, mostP99Ms } = await besideCalm(name, forMs);
  for (const outcome of Object.keys(outcomes)) expect(outcome).toMatch(met);
  const [what, times] = least;
  const sum = Object.entries(outcomes).reduce((all, [key, value]) => all + (what.test(key) ? value : 0), 0);
  expect(sum).toBeGreaterThanOrEqual(times);
  expect(p99Ms).toBeLessThanOrEqual(mostP99Ms);
});

/** How a signed-in client is closed for each bomb. */
const bombCodes: Readonly<Record<string, number>> = {
  "frame over the limit": 1009,
  "length of 4 GiB": 1009,
  "30,000 empty packets": 4000,
  "packet longer than its frame": 4000,
  "groups in groups": 4000,
  "too many frames": 4009,
};

it("frameBombs are refused each with its code, and the others do not feel it", options, async () => {
  const { outcomes, p99Ms, mostP99Ms } = await besideCalm("frameBombs", 6_000);
  const right = Object.entries(bombCodes).map(([bomb, code]) => `${bomb}: ${code}`);
  const before = /^closed (1009|4000|4002|4009)$/;
  for (const outcome of Object.keys(outcomes)) expect(right.includes(outcome) || before.test(outcome)).toBe(true);
  for (const outcome of right) expect(outcomes[outcome]).toBeGreaterThanOrEqual(5);
  expect(p99Ms).toBeLessThanOrEqual(mostP99Ms);
});

it("spoofed datagrams are answered with fewer bytes than they have", options, async () => {
  const { outcomes, p99Ms, mostP99Ms } = await besideCalm("udpSpoofing", 3_000);
  const { bytesOut = 0, bytesBack = 0 } = outcomes;
  expect(bytesOut).toBeGreaterThan(1_000_000);
  expect(bytesBack).toBeGreaterThan(0);
  expect(bytesBack).toBeLessThanOrEqual(bytesOut);
  expect(p99Ms).toBeLessThanOrEqual(mostP99Ms);
});

it("replayed datagrams change nothing", options, async () => {
  const { outcomes, p99Ms, mostP99Ms } = await besideCalm("udpReplay", 6_000);
  expect(outcomes.replayed).toBeGreaterThan(5_000);
  expect(outcomes["answers to one heartbeat"]).toBe(1);
  expect(p99Ms).toBeLessThanOrEqual(mostP99Ms);
});
