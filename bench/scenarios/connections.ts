import type { HoldResult } from "../generator/load-config.ts";
import { registerAccounts } from "../support/accounts.ts";
import { MeshProcesses } from "../support/mesh-processes.ts";
import { cpuSecondsOf, rssKibOf } from "../support/process-usage.ts";
import { type BenchFigures, type BenchOptions, rounded } from "./bench-options.ts";
import { runGenerator } from "./run-generator.ts";

const defaultConnections = 100_000;
/** Below the 18,500 that a Login process takes, which in turn is below its 20,000 descriptors. */
const mostPerLogin = 16_700;
const accountsInAll = 2_000;
const loadMs = 600_000;

async function holdOne(mesh: MeshProcesses, name: string, load: HoldShare): Promise<HoldResult> {
  const { accounts, connections, holdMs } = load;
  const config = {
    scenario: "hold",
    port: mesh.port(name),
    serverPid: mesh.pid(name),
    accounts,
    connections,
    holdMs,
  } as const;
  const answer = await runGenerator(config, holdMs + loadMs);
  if (!("hold" in answer)) throw new Error("the generator answered something else than hold");
  return answer.hold;
}

interface HoldShare {
  readonly accounts: Awaited<ReturnType<typeof registerAccounts>>;
  readonly connections: number;
  readonly holdMs: number;
}

/**
 * Long connections over several Login processes, each with a generator process of its own: opened, held with heartbeats
 * for `--seconds`, then lost all at once and opened again. Memory is that of the Login processes, empty and full.
 */
export async function benchConnections(options: BenchOptions): Promise<BenchFigures> {
  const connections = options.size || defaultConnections;
  const loginProcesses = Math.ceil(connections / mostPerLogin);
  const logins = Array.from({ length: loginProcesses }, (_, i) => `login-${i + 1}`);
  const mesh = new MeshProcesses();
  try {
    const others = { "route-1": "route", core: "core", "online-1": "online" };
    await mesh.start({ ...others, ...Object.fromEntries(logins.map((name) => [name, "login"])) }, 1);
    const accounts = await registerAccounts({ port: mesh.port("login-1"), count: accountsInAll });
    const sumOf = (read: (pid: number) => number): number =>
      logins.reduce((sum, name) => sum + read(mesh.pid(name)), 0);
    const emptyKib = sumOf(rssKibOf);
    const startMs = performance.now();
    const [cpuBefore, holdMs] = [sumOf(cpuSecondsOf), options.seconds * 1_000];
    const share = { accounts, connections: Math.floor(connections / loginProcesses), holdMs };
    const full = { kib: emptyKib };
    const timer = setInterval(() => {
      full.kib = Math.max(full.kib, sumOf(rssKibOf));
    }, 1_000);
    const results = await Promise.all(logins.map((name) => holdOne(mesh, name, share))).finally(() =>
      clearInterval(timer),
    );
    const seconds = (performance.now() - startMs) / 1_000;
    const held = results.reduce((sum, result) => sum + result.connections, 0);
    const total = (pick: (result: HoldResult) => number): number =>
      results.reduce((sum, result) => sum + pick(result), 0);
    return {
      scenario: "connections",
      connections: held,
      loginProcesses,
      heldSeconds: options.seconds,
      connectsPerSecond: rounded(total((result) => result.connectsPerSecond)),
      kibPerConnection: rounded((full.kib - emptyKib) / held),
      serverCpuCores: rounded((sumOf(cpuSecondsOf) - cpuBefore) / seconds),
      generatorCpuCores: rounded(total((result) => result.generatorCpuSeconds) / options.seconds),
      retries: total((result) => result.retries),
      stormP50Ms: rounded(Math.max(...results.map((result) => result.stormP50Ms))),
      stormP99Ms: rounded(Math.max(...results.map((result) => result.stormP99Ms))),
    };
  } finally {
    await mesh.close();
  }
}
