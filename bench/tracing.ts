/**
 * `node bench/tracing.ts [--runs n] [--seconds n]`: what following messages costs. The chat load, window 16, on a fresh
 * server each: rings off; rings on and nothing sampled, as when no receiver is set; 1% and 100% of the messages sent to
 * an OTLP receiver. The modes take turns in each run, and ratios are of one run.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { withBenchServer } from "./scenarios/bench-server.ts";
import { runWindow } from "./scenarios/chat.ts";
import { medianOf } from "./support/median-of.ts";
import type { ServerProcess } from "./support/start-server.ts";

const [window, textBytes, warmupSeconds] = [16, 100, 4];

type Environment = Readonly<Record<string, string>>;

/** Messages for each CPU second of a fresh server. */
function chat(env: Environment, seconds: number): Promise<number> {
  const options = { window, rate: 0, size: 0, seconds, warmupSeconds, textBytes, serverArgs: [] };
  const run = async (server: ServerProcess): Promise<number> =>
    (await runWindow(server, options, window)).msgsPerServerCpuSecond!;
  return withBenchServer([], run, env);
}

const { values } = parseArgs({
  options: { runs: { type: "string", default: "5" }, seconds: { type: "string", default: "8" } },
});
let exported = 0;
const sink = createServer((request, response) => {
  request.on("data", (chunk: Buffer) => {
    exported += chunk.byteLength;
  });
  request.on("end", () => response.setHeader("content-type", "application/json").end("{}"));
});
await new Promise<void>((resolve) => sink.listen(0, "127.0.0.1", resolve));
const otlp = { CHAPPE_OTLP_URL: `http://127.0.0.1:${(sink.address() as AddressInfo).port}` };
const modes: Readonly<Record<string, Environment>> = {
  off: { CHAPPE_TRACE_RING_ENTRIES: "0" },
  notSampled: {},
  onePercent: { ...otlp, CHAPPE_TRACE_RATE: "0.01" },
  all: { ...otlp, CHAPPE_TRACE_RATE: "1" },
};
const names = Object.keys(modes);
const found: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
for (let run = 0; run < Number(values.runs); run++) {
  for (const at of names.keys()) {
    const name = names[(at + run) % names.length]!;
    found[name]!.push(await chat(modes[name]!, Number(values.seconds)));
  }
  console.error(names.map((name) => `${name} ${found[name]!.at(-1)}`).join(", "));
}
sink.close();
const figures = names.map((name) => {
  const ratios = found[name]!.map((value, run) => value / found.off![run]!);
  return [name, { msgsPerServerCpuSecond: medianOf(found[name]!), ofOff: Number(medianOf(ratios).toFixed(3)) }];
});
console.log(JSON.stringify({ ...Object.fromEntries(figures), exportedMib: Math.round(exported / 1024 / 1024) }));
