/**
 * One link between two processes: `node bench/link.ts [--json] [--seconds=3] [--window=2048]`. Calls of 100 bytes, each
 * answered with 100 bytes; a call is two packets. Then calls at half of that rate, open loop, for the added latency.
 */
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { createLinkDialer } from "@chappe/mesh/link/create-link-dialer.ts";
import { serveLinks } from "@chappe/mesh/link/create-link-server.ts";
import type { Link } from "@chappe/mesh/link/link.ts";
import { linkChannelOptions } from "@chappe/mesh/link/link-wire.ts";
import { type Call, noBytes } from "@chappe/mesh/rpc/call.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { Server, ServerCredentials } from "@grpc/grpc-js";

const payloadBytes = 100;
const secret = Buffer.alloc(32, 7);
const warmUpMs = 1_000;

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

/** Latencies in milliseconds at a rate that does not wait for answers, in order of size. */
async function openLoop(link: Link, perSecond: number, forMs: number): Promise<Float64Array> {
  const latencies: number[] = [];
  const startMs = performance.now();
  let sent = 0;
  const pending: Promise<void>[] = [];
  while (performance.now() - startMs < forMs) {
    const due = Math.floor(((performance.now() - startMs) / 1_000) * perSecond);
    for (; sent < due; sent++) {
      const dueMs = startMs + (sent / perSecond) * 1_000;
      pending.push(link.call(nextCall()).then(() => void latencies.push(performance.now() - dueMs)));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(pending);
  return Float64Array.from(latencies).sort();
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean" },
      seconds: { type: "string", default: "3" },
      window: { type: "string", default: "2048" },
    },
  });
  const forMs = Number(values.seconds) * 1_000;
  const child = fork(process.argv[1]!, ["serve"]);
  const reply = <T>(): Promise<T> => new Promise((resolve) => child.once("message", (value) => resolve(value as T)));
  const { port } = await reply<{ port: number }>();
  const wheel = new TimerWheel();
  const handler = { call: async () => noBytes };
  const dialer = createLinkDialer({ self: { instanceId: "near", svids: [] }, secret, handler, wheel });
  dialer.setAddresses([`127.0.0.1:${port}`]);
  await dialer.whenOpen({ timeoutMs: 5_000 });
  const link = dialer.links[0]!;
  await closedLoop(link, Number(values.window), warmUpMs);
  const farCpu = async (): Promise<number> => {
    child.send("cpu");
    const { cpu } = await reply<{ cpu: NodeJS.CpuUsage }>();
    return (cpu.user + cpu.system) / 1e6;
  };
  const [cpuBefore, farBefore] = [process.cpuUsage(), await farCpu()];
  const callsPerSecond = await closedLoop(link, Number(values.window), forMs);
  const near = process.cpuUsage(cpuBefore);
  const nearSeconds = (near.user + near.system) / 1e6;
  const farSeconds = (await farCpu()) - farBefore;
  const calls = callsPerSecond * (forMs / 1_000);
  const latencies = await openLoop(link, callsPerSecond / 2, forMs);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  const row = {
    scenario: "link",
    packetsPerSecond: Math.round(callsPerSecond * 2),
    callsPerSecond: Math.round(callsPerSecond),
    nearMicrosPerCall: (nearSeconds * 1e6) / calls,
    farMicrosPerCall: (farSeconds * 1e6) / calls,
    halfLoadP50Ms: at(0.5),
    halfLoadP99Ms: at(0.99),
  };
  if (values.json === true) console.log(JSON.stringify(row));
  else console.table([row]);
  dialer.close();
  wheel.close();
  child.disconnect();
}

await (process.argv[2] === "serve" ? serve() : main());
