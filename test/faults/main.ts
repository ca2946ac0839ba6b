/** `npm run faults -- <case> [--kills n] [--rate n] [--seed n] [--history file] [--json]`; `--list` names the cases. */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { disturbEnvoy, envoyActs } from "./envoy.ts";
import { killAllInOne } from "./kill-all-in-one.ts";
import { persistenceActs, persistenceMembers, startPersistenceEngines } from "./persistence.ts";
import { defaultKillOptions, type KillOptions, type KillResult } from "./run-under-load.ts";
import { disturbSignalling, everyAct, foldedMembers, signallingMembers } from "./signalling.ts";
import { summarise } from "./summarise.ts";

interface FaultCase {
  readonly about: string;
  readonly run: (options: KillOptions) => Promise<KillResult>;
}

const cases: Readonly<Record<string, FaultCase>> = {
  "kill-all-in-one": { about: "kill -9 of the all-in-one server under load", run: killAllInOne },
  signalling: {
    about: "kill -9, SIGSTOP 10 s and SIGTERM of every process of login x2, route x2, online x2 and core",
    run: (options) => disturbSignalling({ ...options, members: signallingMembers, acts: everyAct(signallingMembers) }),
  },
  persistence: {
    about: "kill -9 and SIGSTOP 10 s of the modules of core, and of Kafka and MariaDB beneath them",
    run: (options) =>
      disturbSignalling({
        ...options,
        members: persistenceMembers,
        acts: persistenceActs,
        startEngines: startPersistenceEngines,
      }),
  },
  envoy: {
    about: "Envoy killed and drained, Login scaled 1 -> 3 -> 1 behind it",
    run: (options) => disturbEnvoy({ ...options, acts: envoyActs }),
  },
  "signalling-folded": {
    about: "the same with Online in Login's processes",
    run: (options) => disturbSignalling({ ...options, members: foldedMembers, acts: everyAct(foldedMembers) }),
  },
};

const maxSeed = 2 ** 32;

function readCommand() {
  return parseArgs({
    allowPositionals: true,
    options: {
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      kills: { type: "string", default: String(defaultKillOptions.kills) },
      clients: { type: "string", default: String(defaultKillOptions.clients) },
      rate: { type: "string", default: String(defaultKillOptions.rate) },
      seed: { type: "string", default: String(randomInt(maxSeed)) },
      history: { type: "string" },
      "server-arg": { type: "string", multiple: true, default: [] },
      "server-env": { type: "string", multiple: true, default: [] },
    },
  });
}

function readNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`--${name} must be a whole number from ${min} to ${max}`);
  return value;
}

async function main(): Promise<void> {
  const { positionals, values } = readCommand();
  if (values.list) {
    for (const [name, { about }] of Object.entries(cases)) process.stdout.write(`${name}  ${about}\n`);
    return;
  }
  const name = positionals[0] ?? "";
  const faultCase = cases[name];
  if (faultCase === undefined) throw new Error(`name one case: ${Object.keys(cases).join(", ")}`);
  const options: KillOptions = {
    ...defaultKillOptions,
    seed: readNumber("seed", values.seed, 0, maxSeed),
    kills: readNumber("kills", values.kills, 1, 1_000),
    clients: readNumber("clients", values.clients, 14, 500),
    rate: readNumber("rate", values.rate, 1, 20_000),
    serverArgs: values["server-arg"],
    serverEnv: Object.fromEntries(values["server-env"].map((pair) => pair.split("=", 2) as [string, string])),
    historyPath: values.history,
    log: (text) => process.stderr.write(`${text}\n`),
  };
  options.log(`${name}, seed ${options.seed}`);
  const result = await faultCase.run(options);
  const summary = summarise(name, result);
  if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  process.exitCode = summary.ok ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
try {
  await main();
} catch (error) {
  process.stderr.write(`faults: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
