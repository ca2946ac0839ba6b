import type { LoadAnswer } from "../generator/load-config.ts";
import { type BenchFigures, rounded } from "./bench-options.ts";

/** The figures of a chat or group load. */
export function trafficFigures(scenario: string, window: number, rate: number, answer: LoadAnswer): BenchFigures {
  if (!("traffic" in answer)) throw new Error("the generator answered something else than traffic");
  const { traffic } = answer;
  return {
    scenario,
    ...(rate > 0 ? { rate } : { window }),
    connections: traffic.connections,
    msgsPerSecond: rounded(traffic.messages / traffic.measuredSeconds),
    msgsPerServerCpuSecond: rounded(traffic.messages / traffic.serverCpuSeconds),
    deliveriesPerSecond: rounded(traffic.deliveries / traffic.measuredSeconds),
    deliveriesPerServerCpuSecond: rounded(traffic.deliveries / traffic.serverCpuSeconds),
    serverCpuCores: rounded(traffic.serverCpuSeconds / traffic.measuredSeconds),
    generatorCpuCores: rounded(traffic.generatorCpuSeconds / traffic.measuredSeconds),
    p50Ms: rounded(traffic.p50Ms),
    p75Ms: rounded(traffic.p75Ms),
    p99Ms: rounded(traffic.p99Ms),
    maxMs: rounded(traffic.maxMs),
    ackP50Ms: rounded(traffic.ackP50Ms),
    ackP99Ms: rounded(traffic.ackP99Ms),
    repeats: traffic.repeats,
  };
}
