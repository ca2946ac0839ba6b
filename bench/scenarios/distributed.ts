import type { TrafficResult } from "../generator/load-config.ts";
import { registerAccounts } from "../support/accounts.ts";
import { type DistributedMesh, startDistributedMesh } from "../support/distributed-mesh.ts";
import {
  type BenchFigures,
  type BenchOptions,
  type DistributedFigures,
  loadOverheadMs,
  rounded,
} from "./bench-options.ts";
import { drainBacklog } from "./drain-backlog.ts";
import { runGenerator } from "./run-generator.ts";

const defaultPairs = 200;
const defaultWindow = 16;
const defaultRate = 500;
const mostRounded = 1_000;

interface Load {
  readonly window: number;
  readonly rate: number;
}

async function runLoad({ mesh, pids }: DistributedMesh, options: BenchOptions, load: Load): Promise<TrafficResult> {
  const port = mesh.port("login");
  const accounts = await registerAccounts({ port, count: 2 * (options.size || defaultPairs) });
  const times = { warmupMs: options.warmupSeconds * 1_000, measureMs: options.seconds * 1_000 };
  const watchedPids = { ...pids.own, ...pids.engines };
  const common = {
    scenario: "chat",
    port,
    serverPid: pids.own.login!,
    accounts,
    textBytes: options.textBytes,
  } as const;
  const config = { ...common, ...load, ...times, watchedPids };
  const answer = await runGenerator(config, times.warmupMs + times.measureMs + loadOverheadMs);
  if (!("traffic" in answer)) throw new Error("the generator answered something else than traffic");
  return answer.traffic;
}

/** Core-milliseconds of each process for one message. */
function cpuMsPerMessage({ messages, watchedCpuSeconds }: TrafficResult, names: readonly string[]) {
  const each = names.map((name) => [name, (watchedCpuSeconds[name]! * 1_000) / messages] as const);
  const round = (value: number): number => Math.round(value * mostRounded) / mostRounded;
  const sum = each.reduce((total, [, value]) => total + value, 0);
  return { sum: round(sum), each: Object.fromEntries(each.map(([name, value]) => [name, round(value)])) };
}

function figuresOf(traffic: TrafficResult, { own, engines }: DistributedMesh["pids"]): DistributedFigures {
  const ours = cpuMsPerMessage(traffic, Object.keys(own));
  const theirs = cpuMsPerMessage(traffic, Object.keys(engines));
  return {
    msgsPerSecond: rounded(traffic.messages / traffic.measuredSeconds),
    coreMsPerMessage: ours.sum,
    coreMsByProcess: ours.each,
    engineCoreMsPerMessage: theirs.sum,
    engineCoreMsByEngine: theirs.each,
    generatorCpuCores: rounded(traffic.generatorCpuSeconds / traffic.measuredSeconds),
    ackP50Ms: rounded(traffic.ackP50Ms),
    ackP99Ms: rounded(traffic.ackP99Ms),
    p50Ms: rounded(traffic.p50Ms),
    p75Ms: rounded(traffic.p75Ms),
    p99Ms: rounded(traffic.p99Ms),
  };
}

/**
 * Every role as a process, on Kafka, MariaDB and Redis of this machine: saturation (200 pairs, 16 messages of each in
 * flight), an open loop at a rate (500 a second unless given), and the backlog that one writer commits a second.
 */
export async function benchDistributed(options: BenchOptions): Promise<BenchFigures> {
  const mesh = await startDistributedMesh();
  try {
    const { rate = defaultRate } = options.rate > 0 ? options : {};
    const closed = await runLoad(mesh, options, { window: options.window || defaultWindow, rate: 0 });
    const saturation = figuresOf(closed, mesh.pids);
    const open = await runLoad(mesh, options, { window: 1, rate });
    const openLoop = figuresOf(open, mesh.pids);
    return { scenario: "distributed", rate, openLoop, saturation, backlog: await drainBacklog(mesh) };
  } finally {
    await mesh.close();
  }
}
