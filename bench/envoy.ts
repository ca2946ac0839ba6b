/**
 * `node bench/envoy.ts [--runs n] [--seconds n] [--sizes 2000,5000,9000] [--json]`: what the Envoy before Login costs.
 * Chat in paired runs, direct and through Envoy, on the same server; memory per idle WebSocket in Envoy.
 */
import { parseArgs } from "node:util";
import { type EnvoyServer, startEnvoy } from "@chappe/mesh/dev-engines/start-envoy.ts";
import { type BenchFigures, loadOverheadMs, rounded } from "./scenarios/bench-options.ts";
import { withBenchServer } from "./scenarios/bench-server.ts";
import { runGenerator } from "./scenarios/run-generator.ts";
import { trafficFigures } from "./scenarios/traffic-figures.ts";
import { type Account, registerAccounts } from "./support/accounts.ts";
import { medianOf } from "./support/median-of.ts";
import { cpuSecondsOf, rssKibOf } from "./support/process-usage.ts";
import type { ServerProcess } from "./support/start-server.ts";

const chatUsers = 400;
const window = 16;
const warmupMs = 3_000;
const textBytes = 100;
const holdMs = 60_000;
const serverArgs = ["--grpc-port", "0"];

/** A load comes from one address. */
const noBounds = { connectsPerSecond: 100_000, requestsPerSecond: 100_000, requestsPerSecondPerAddress: 100_000 };

/** Runs `work` with an Envoy before the server. */
async function withEnvoy<T>(server: ServerProcess, work: (envoy: EnvoyServer) => Promise<T>): Promise<T> {
  const http = [`127.0.0.1:${server.port}`];
  const envoy = await startEnvoy({
    settings: { ...noBounds, logins: [{ http, grpc: `127.0.0.1:${server.ready.grpc}` }] },
  });
  try {
    return await work(envoy);
  } finally {
    await envoy.close();
  }
}

/** One load, whose connections go to `port`; the figures are of the server, and the CPU of Envoy comes beside them. */
async function chat(
  server: ServerProcess,
  port: number,
  accounts: readonly Account[],
  measureMs: number,
  pid?: number,
) {
  const before = pid === undefined ? 0 : cpuSecondsOf(pid);
  const load = { scenario: "chat", port, serverPid: server.pid, accounts, window, rate: 0, textBytes } as const;
  const answer = await runGenerator({ ...load, warmupMs, measureMs }, warmupMs + measureMs + loadOverheadMs);
  const figures = trafficFigures("chat", window, 0, answer);
  const seconds = (warmupMs + measureMs) / 1000;
  return pid === undefined ? figures : { ...figures, envoyCpuCores: rounded((cpuSecondsOf(pid) - before) / seconds) };
}

type ChatFigures = BenchFigures & { readonly envoyCpuCores?: number };

function summary(rows: readonly ChatFigures[]) {
  const of = (name: keyof ChatFigures): number => medianOf(rows.map((row) => Number(row[name] ?? 0)));
  const names = ["msgsPerSecond", "msgsPerServerCpuSecond", "envoyCpuCores", "p50Ms", "p75Ms", "p99Ms"] as const;
  return Object.fromEntries(names.map((name) => [name, of(name)]));
}

function benchChat(runs: number, measureMs: number) {
  return withBenchServer(serverArgs, async (server) => {
    await runWarm(server);
    return withEnvoy(server, async (envoy) => {
      const direct: ChatFigures[] = [];
      const through: ChatFigures[] = [];
      for (let run = 0; run < runs; run++) {
        const accounts = await registerAccounts({ port: server.port, count: chatUsers });
        direct.push(await chat(server, server.port, accounts, measureMs));
        const others = await registerAccounts({ port: server.port, count: chatUsers });
        through.push(await chat(server, envoy.settings.port, others, measureMs, envoy.pid));
      }
      const ratios = through.map((row, i) => row.msgsPerSecond! / direct[i]!.msgsPerSecond!);
      return { direct: summary(direct), through: summary(through), ratio: rounded(medianOf(ratios)) };
    });
  });
}

/** A first load, so that no measured one pays for a server that has not compiled its code yet. */
async function runWarm(server: ServerProcess): Promise<void> {
  const accounts = await registerAccounts({ port: server.port, count: chatUsers });
  await chat(server, server.port, accounts, 1_000);
}

/** What one idle WebSocket more costs Envoy, and what Envoy has for all of them. */
function benchIdle(size: number) {
  return withBenchServer(serverArgs, async (server) => {
    const accounts = await registerAccounts({ port: server.port, count: size });
    return withEnvoy(server, async (envoy) => {
      const emptyKib = rssKibOf(envoy.pid);
      const firstConnections = Math.floor(size * 0.4);
      const load = { scenario: "idle", port: envoy.settings.port, serverPid: envoy.pid, accounts, firstConnections };
      const answer = await runGenerator(load as Parameters<typeof runGenerator>[0], holdMs + loadOverheadMs);
      if (!("idle" in answer)) throw new Error("the generator answered something else than idle");
      const { idle } = answer;
      return {
        connections: idle.connections,
        kibPerConnection: rounded((idle.rssKib - idle.firstRssKib) / (idle.connections - idle.firstConnections)),
        kibPerConnectionFromEmpty: rounded((idle.rssKib - emptyKib) / idle.connections),
        emptyMib: rounded(emptyKib / 1024),
        connectsPerSecond: rounded(idle.connectsPerSecond),
      };
    });
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      runs: { type: "string", default: "3" },
      seconds: { type: "string", default: "8" },
      sizes: { type: "string", default: "2000,5000,9000" },
    },
  });
  const runs = Number(values.runs);
  const found = {
    chat: runs > 0 ? await benchChat(runs, Number(values.seconds) * 1000) : undefined,
    idle: [] as Awaited<ReturnType<typeof benchIdle>>[],
  };
  for (const size of values.sizes.split(",").filter(Boolean)) found.idle.push(await benchIdle(Number(size)));
  if (values.json) return console.log(JSON.stringify({ scenario: "envoy", ...found }));
  if (found.chat !== undefined) console.table({ direct: found.chat.direct, through: found.chat.through });
  console.log(`messages a second through Envoy / direct: ${found.chat?.ratio}`);
  console.table(found.idle);
}

await main();
