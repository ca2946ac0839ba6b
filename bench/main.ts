/**
 * `npm run bench -- chat|group|idle|connections|distributed|history [--window n] [--rate n] [--seconds n] [--size n]
 * [--messages n] [--conversations n] [--json]`: measures one scenario.
 */
import { parseArgs } from "node:util";
import type { BenchFigures, BenchOptions } from "./scenarios/bench-options.ts";
import { benchChat } from "./scenarios/chat.ts";
import { benchConnections } from "./scenarios/connections.ts";
import { benchDistributed } from "./scenarios/distributed.ts";
import { benchGroup } from "./scenarios/group.ts";
import { benchHistory } from "./scenarios/history.ts";
import { benchIdle } from "./scenarios/idle.ts";

const scenarios: Readonly<Record<string, (options: BenchOptions) => Promise<BenchFigures>>> = {
  chat: benchChat,
  group: benchGroup,
  idle: benchIdle,
  connections: benchConnections,
  distributed: benchDistributed,
  history: benchHistory,
};

function readNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < min || value > max)
    throw new Error(`--${name} must be a number from ${min} to ${max}`);
  return value;
}

function readCommand(): { scenario: string; json: boolean; options: BenchOptions } {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      window: { type: "string", default: "0" },
      rate: { type: "string", default: "0" },
      seconds: { type: "string", default: "10" },
      warmup: { type: "string", default: "3" },
      size: { type: "string", default: "0" },
      messages: { type: "string" },
      conversations: { type: "string" },
      "text-bytes": { type: "string", default: "100" },
      "server-arg": { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
    },
  });
  const scenario = positionals[0] ?? "";
  if (scenarios[scenario] === undefined || positionals.length > 1)
    throw new Error(`name one scenario: ${Object.keys(scenarios).join(", ")}`);
  return {
    scenario,
    json: values.json,
    options: {
      window: readNumber("window", values.window, 0, 128),
      rate: readNumber("rate", values.rate, 0, 1_000_000),
      seconds: readNumber("seconds", values.seconds, 1, 3_600),
      warmupSeconds: readNumber("warmup", values.warmup, 0, 600),
      size: readNumber("size", values.size, 0, 110_000),
      ...(values.messages !== undefined && { messages: readNumber("messages", values.messages, 2_000, 10_000_000) }),
      ...(values.conversations !== undefined && {
        conversations: readNumber("conversations", values.conversations, 1, 10_000_000),
      }),
      textBytes: readNumber("text-bytes", values["text-bytes"], 1, 16_000),
      serverArgs: values["server-arg"],
    },
  };
}

function printTable({ window1, ...figures }: BenchFigures): void {
  const text = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));
  const lines = Object.entries(figures).map(([name, value]) => `  ${name.padEnd(30)} ${text(value)}`);
  process.stdout.write(`${lines.join("\n")}\n`);
  if (window1 === undefined) return;
  process.stdout.write("\n");
  printTable(window1);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  const { scenario, json, options } = readCommand();
  const figures = await scenarios[scenario]!(options);
  if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else printTable(figures);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
