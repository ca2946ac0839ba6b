/**
 * `npm run faults -- <case>...|all [--kills n] [--rate n] [--clients n] [--seed n] [--history file] [--break name] [--json]`;
 * `--list` names the cases.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { type BreakName, breaks } from "./breaks.ts";
import { cases } from "./cases.ts";
import { disturbEnvoy, envoyActs } from "./envoy.ts";
import { killAllInOne } from "./kill-all-in-one.ts";
import { runBreaks } from "./run-breaks.ts";
import { type RunCaseOptions, runCases } from "./run-cases.ts";
import { defaultKillOptions, type KillOptions, type KillResult } from "./run-under-load.ts";
import { type FaultSummary, summarise } from "./summarise.ts";

/** Cases with processes of their own kind. */
const alone: Readonly<Record<string, { readonly about: string; run(options: KillOptions): Promise<KillResult> }>> = {
  "kill-all-in-one": { about: "kill -9 of the all-in-one server under load", run: killAllInOne },
  envoy: {
    about: "Envoy killed and drained, Login scaled 1 -> 3 -> 1 behind it",
    run: (options) => disturbEnvoy({ ...options, acts: envoyActs }),
  },
};
const breaksCase = "breaks";
const maxSeed = 2 ** 32;

function readCommand() {
  return parseArgs({
    allowPositionals: true,
    options: {
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      kills: { type: "string" },
      clients: { type: "string" },
      rate: { type: "string" },
      seed: { type: "string", default: String(randomInt(maxSeed)) },
      history: { type: "string" },
      break: { type: "string" },
      "server-arg": { type: "string", multiple: true, default: [] },
      "server-env": { type: "string", multiple: true, default: [] },
    },
  });
}

type Values = ReturnType<typeof readCommand>["values"];

function readNumber(name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`--${name} must be a whole number from ${min} to ${max}`);
  return value;
}

function readOptions(values: Values): RunCaseOptions {
  if (values.break !== undefined && !Object.hasOwn(breaks, values.break))
    throw new Error(`--break must be one of ${Object.keys(breaks).join(", ")}`);
  return {
    seed: readNumber("seed", values.seed, 0, maxSeed)!,
    kills: readNumber("kills", values.kills, 1, 1_000),
    clients: readNumber("clients", values.clients, 14, 500),
    rate: readNumber("rate", values.rate, 1, 20_000),
    historyPath: values.history,
    breaking: values.break as BreakName | undefined,
    log: (text) => process.stderr.write(`${text}\n`),
  };
}

function runAlone(name: string, values: Values, options: RunCaseOptions): Promise<KillResult> {
  const { kills, clients, rate } = options;
  return alone[name]!.run({
    ...defaultKillOptions,
    ...options,
    kills: kills ?? defaultKillOptions.kills,
    clients: clients ?? defaultKillOptions.clients,
    rate: rate ?? defaultKillOptions.rate,
    serverArgs: values["server-arg"],
    serverEnv: Object.fromEntries(values["server-env"].map((pair) => pair.split("=", 2) as [string, string])),
  });
}

async function main(): Promise<void> {
  const { positionals, values } = readCommand();
  if (values.list) {
    for (const [name, { about }] of Object.entries({ ...alone, ...cases })) process.stdout.write(`${name}  ${about}\n`);
    process.stdout.write(
      `${breaksCase}  processes that do without a safety measure, one after the other: each must be red\n`,
    );
    return;
  }
  const options = readOptions(values);
  const known = [...Object.keys({ ...alone, ...cases }), breaksCase];
  const names = positionals.includes("all") ? known : positionals;
  const isKnown = names.length > 0 && names.every((name) => known.includes(name));
  if (!isKnown) throw new Error(`name some cases, or all: ${known.join(", ")}`);
  const print = (summary: FaultSummary): void => {
    process.stdout.write(`${values.json ? JSON.stringify(summary) : JSON.stringify(summary, null, 2)}\n`);
    if (!summary.ok) process.exitCode = 1;
  };
  for (const name of names.filter((one) => Object.hasOwn(alone, one))) {
    options.log(`${name}, seed ${options.seed}`);
    print(summarise(name, await runAlone(name, values, options)));
  }
  const staged = names.filter((name) => Object.hasOwn(cases, name));
  if (!(await runCases(staged, options, print))) process.exitCode = 1;
  if (names.includes(breaksCase) && !(await runBreaks(options))) process.exitCode = 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  await main();
} catch (error) {
  // Engines that a start has left behind go with this process.
  process.stderr.write(`faults: ${error instanceof Error ? error.message : String(error)}\n`, () => process.exit(1));
}
