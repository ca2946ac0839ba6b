import { LatencyHistogram } from "../support/latency-histogram.ts";
import { cpuSecondsOf } from "../support/process-usage.ts";
import type { LoadTimes, TrafficResult } from "./load-config.ts";

/** Counts what happens between warm-up and end, and reads the server's CPU time at both. */
export class TrafficMeter {
  #delivery = new LatencyHistogram();
  #ack = new LatencyHistogram();
  #messages = 0;
  #deliveries = 0;
  #repeats = 0;
  #active = false;

  recordAck(ms: number): void {
    if (this.#active) this.#ack.record(ms);
  }

  recordDelivery(ms: number): void {
    if (!this.#active) return;
    this.#deliveries++;
    this.#delivery.record(ms);
  }

  recordMessage(): void {
    if (this.#active) this.#messages++;
  }

  recordRepeat(): void {
    this.#repeats++;
  }

  /** Runs the clock: warm-up, then the measured interval. Rejects as soon as `failed` does. */
  async measure(
    serverPid: number,
    times: LoadTimes,
    failed: Promise<never>,
  ): Promise<Omit<TrafficResult, "connections">> {
    await Promise.race([wait(times.warmupMs), failed]);
    this.#active = true;
    const startCpu = cpuSecondsOf(serverPid);
    const startWatched = cpuSecondsOfAll(times.watchedPids);
    const startOwnCpu = process.cpuUsage();
    const startMs = performance.now();
    await Promise.race([wait(times.measureMs), failed]);
    this.#active = false;
    const ownCpu = process.cpuUsage(startOwnCpu);
    const measuredSeconds = (performance.now() - startMs) / 1_000;
    return {
      measuredSeconds,
      serverCpuSeconds: cpuSecondsOf(serverPid) - startCpu,
      watchedCpuSeconds: differenceOf(cpuSecondsOfAll(times.watchedPids), startWatched),
      generatorCpuSeconds: (ownCpu.user + ownCpu.system) / 1_000_000,
      messages: this.#messages,
      deliveries: this.#deliveries,
      p50Ms: this.#delivery.quantileMs(0.5),
      p75Ms: this.#delivery.quantileMs(0.75),
      p99Ms: this.#delivery.quantileMs(0.99),
      maxMs: this.#delivery.maxMs,
      ackP50Ms: this.#ack.quantileMs(0.5),
      ackP99Ms: this.#ack.quantileMs(0.99),
      repeats: this.#repeats,
    };
  }
}

type Seconds = Readonly<Record<string, number>>;

const cpuSecondsOfAll = (pids: LoadTimes["watchedPids"] = {}): Seconds =>
  Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSecondsOf(pid)]));

const differenceOf = (now: Seconds, before: Seconds): Seconds =>
  Object.fromEntries(Object.entries(now).map(([name, seconds]) => [name, seconds - before[name]!]));

/** Settles after so long. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
