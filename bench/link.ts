/**
 * One link between two processes: `node bench/link.ts [--json] [--seconds=2] [--window=2048] [--runs=3]
 * [--rates=50000,100000,200000,300000]`. Calls of 100 bytes, each answered with 100 bytes; a call is two packets. First
 * as many as go through; then packets a second at fixed rates, open loop, for the added latency. Medians of the runs;
 * of refused calls the most.
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createLinkDialer } from "@chappe/mesh/link/create-link-dialer.ts";
import { serveLinks } from "@chappe/mesh/link/create-link-server.ts";
import type { Link } from "@chappe/mesh/link/link.ts";
import { linkChannelOptions } from "@chappe/mesh/link/link-wire.ts";
import { type Call, noBytes } from "@chappe/mesh/rpc/call.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { LatencyHistogram } from "./support/latency-histogram.ts";

const payloadBytes = 100;
const secret = Buffer.alloc(32, 7);
const warmUpMs = 1_000;
/** Calls of an open loop leave in slots of so long. */
const slotMs = 1;
const packetsPerCall = 2;

async function serve(): Promise<void> {
  const wheel = new TimerWheel();
  const server = new Server(linkChannelOptions);
  const handler = { call: async ({ payload }: Call) => payload };
  serveLinks({ server, self: { instanceId: "far", svids: [] }, secret, handler, onLink: () => undefined, wheel });
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.send?.({ port });
  });
  process.on("message", () => process.send?.({ cpu: process.cpuUsage() }));
  process.on("disconnect", () => process.exit(0));
}

const payload = new Uint8Array(payloadBytes).fill(1);
const nextCall = (): Call => ({
  svid: 7,
  cmd: 1,
  payload,
  identity: internalIdentity,
  affinity: noBytes,
  deadlineMs: Date.now() + 10_000,
  traceContext: noBytes,
});

/** Calls answered a second, with `window` calls in flight. */
async function closedLoop(link: Link, window: number, forMs: number): Promise<number> {
  const startMs = performance.now();
  const untilMs = startMs + forMs;
  let answered = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      await link.call(nextCall());
      answered++;
    }
  };
  await Promise.all(Array.from({ length: window }, lane));
  return (answered * 1_000) / (performance.now() - startMs);
}

/** What an open loop found. Milliseconds; from the due time of a slot, of that the wait for the sender, and the rest. */
interface OpenLoop {
  readonly fromDue: LatencyHistogram;
  readonly sendLate: LatencyHistogram;
  readonly fromSend: LatencyHistogram;
  /** Calls that the link refused because its credit was used up: the machine was slower than the rate. */
  readonly refused: number;
}

/** Calls at a rate that does not wait for answers: slots are due at fixed times, a late sender sends all that are due. */
async function openLoop(link: Link, perSecond: number, forMs: number): Promise<OpenLoop> {
  const found = { fromDue: new LatencyHistogram(), sendLate: new LatencyHistogram(), fromSend: new LatencyHistogram() };
  const callsPerSlot = (perSecond * slotMs) / 1_000;
  const slots = Math.floor(forMs / slotMs);
  const startMs = performance.now();
  let [slot, sent, answered, refused] = [0, 0, 0, 0];
  await new Promise<void>((resolve) => {
    const sendSlot = (): void => {
      const dueMs = startMs + slot++ * slotMs;
      const sentMs = performance.now();
      found.sendLate.record(sentMs - dueMs);
      const onEnd = (): void => {
        if (++answered === sent && slot === slots) resolve();
      };
      const onAnswer = (): void => {
        const nowMs = performance.now();
        found.fromDue.record(nowMs - dueMs);
        found.fromSend.record(nowMs - sentMs);
        onEnd();
      };
      const onRefused = (error: unknown): void => {
        if (!ChappeError.is(error, "OVERLOADED")) throw error;
        refused++;
        onEnd();
      };
      for (const last = Math.floor(slot * callsPerSlot); sent < last; sent++)
        link.call(nextCall()).then(onAnswer, onRefused);
    };
    const timer = setInterval(() => {
      while (slot < slots && startMs + slot * slotMs <= performance.now()) sendSlot();
      if (slot === slots) clearInterval(timer);
    }, slotMs);
  });
  return { ...found, refused };
}

/** The other process. */
interface FarProcess {
  readonly port: number;
  cpuSeconds(): Promise<number>;
  close(): void;
}

async function startFar(): Promise<FarProcess> {
  const child = fork(process.argv[1]!, ["serve"]);
  const reply = <T>(): Promise<T> => new Promise((resolve) => child.once("message", (value) => resolve(value as T)));
  const { port } = await reply<{ port: number }>();
  return {
    port,
    async cpuSeconds() {
      child.send("cpu");
      const { cpu } = await reply<{ cpu: NodeJS.CpuUsage }>();
      return (cpu.user + cpu.system) / 1e6;
    },
    close: () => child.disconnect(),
  };
}

/** CPU seconds of both processes while the work is done. */
async function withCpu<T>(far: FarProcess, work: () => Promise<T>) {
  const [near, before] = [process.cpuUsage(), await far.cpuSeconds()];
  const result = await work();
  const { user, system } = process.cpuUsage(near);
  return { result, nearCpuSeconds: (user + system) / 1e6, farCpuSeconds: (await far.cpuSeconds()) - before };
}

type Row = Record<string, number>;

async function saturated(link: Link, far: FarProcess, window: number, forMs: number): Promise<Row> {
  const { result, nearCpuSeconds, farCpuSeconds } = await withCpu(far, () => closedLoop(link, window, forMs));
  const calls = (result * forMs) / 1_000;
  return {
    packetsPerSecond: result * packetsPerCall,
    nearMicrosPerCall: (nearCpuSeconds * 1e6) / calls,
    farMicrosPerCall: (farCpuSeconds * 1e6) / calls,
  };
}

async function atRate(link: Link, far: FarProcess, packetsPerSecond: number, forMs: number): Promise<Row> {
  const framesBefore = link.stats().framesOut;
  const { result, nearCpuSeconds, farCpuSeconds } = await withCpu(far, () =>
    openLoop(link, packetsPerSecond / packetsPerCall, forMs),
  );
  const { fromDue, sendLate, fromSend } = result;
  return {
    packetsPerSecond,
    p50Ms: fromDue.quantileMs(0.5),
    p99Ms: fromDue.quantileMs(0.99),
    sendLateP50Ms: sendLate.quantileMs(0.5),
    sendLateP99Ms: sendLate.quantileMs(0.99),
    fromSendP50Ms: fromSend.quantileMs(0.5),
    fromSendP99Ms: fromSend.quantileMs(0.99),
    refused: result.refused,
    callsPerFrame: fromDue.count / (link.stats().framesOut - framesBefore),
    nearCpuSeconds,
    farCpuSeconds,
  };
}

function medians(rows: readonly Row[]): Row {
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const names = Object.keys(rows[0]!);
  return Object.fromEntries(names.map((name) => [name, Number(middle(rows.map((row) => row[name]!)).toPrecision(4))]));
}

async function measure(
  link: Link,
  far: FarProcess,
  options: Record<"window" | "runs" | "seconds", number>,
  rates: number[],
) {
  const forMs = options.seconds * 1_000;
  await closedLoop(link, options.window, warmUpMs);
  const full: Row[] = [];
  const paced = rates.map((): Row[] => []);
  for (let run = 0; run < options.runs; run++) {
    full.push(await saturated(link, far, options.window, forMs));
    for (const [i, rate] of rates.entries()) paced[i]!.push(await atRate(link, far, rate, forMs));
  }
  const most = (rows: readonly Row[]): number => Math.max(...rows.map(({ refused }) => refused!));
  return { saturated: medians(full), paced: paced.map((rows) => ({ ...medians(rows), refused: most(rows) })) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean" },
      seconds: { type: "string", default: "2" },
      window: { type: "string", default: "2048" },
      runs: { type: "string", default: "3" },
      rates: { type: "string", default: "50000,100000,200000,300000" },
    },
  });
  const far = await startFar();
  const wheel = new TimerWheel();
  const handler = { call: async () => noBytes };
  const dialer = createLinkDialer({ self: { instanceId: "near", svids: [] }, secret, handler, wheel });
  try {
    dialer.setAddresses([`127.0.0.1:${far.port}`]);
    await dialer.whenOpen({ timeoutMs: 5_000 });
    const options = { window: Number(values.window), runs: Number(values.runs), seconds: Number(values.seconds) };
    const found = await measure(dialer.links[0]!, far, options, values.rates.split(",").map(Number));
    if (values.json === true) return console.log(JSON.stringify({ scenario: "link", ...options, ...found }));
    console.table([found.saturated]);
    console.table(found.paced);
  } finally {
    dialer.close();
    wheel.close();
    far.close();
  }
}

await (process.argv[2] === "serve" ? serve() : main());
