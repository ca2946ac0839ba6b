import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { type DevEngineName, devEngineNames, startDevEngine } from "./dev-engine-set.ts";
import { type DevEngine, describeProcess, endProcess, isAlive, readState, rememberEngine } from "./dev-engine-state.ts";
import { type DevPorts, devPorts } from "./engine-defaults.ts";
import { withLock } from "./with-lock.ts";

const lockTimeoutMs = 300_000;

/** An engine and whether it runs. */
export interface DevEngineStatus {
  readonly name: DevEngineName;
  /** "" when it was never started. */
  readonly address: string;
  /** Of the processes that run. */
  readonly pids: readonly number[];
  /** "part" = some of its processes are gone. */
  readonly state: "up" | "part" | "down";
  readonly logFiles: readonly string[];
}

/** The engines of a developer, which outlive the process that starts them. */
export interface DevEngines {
  /** Starts those that do not run; all of them unless named. Data of an earlier time is there again. */
  up(names?: readonly DevEngineName[]): Promise<void>;
  /** Ends exactly the processes that `up` started; their data stays. Answers their pids. */
  down(): Promise<readonly number[]>;
  status(): DevEngineStatus[];
}

/** Where the engines are and who hears what happens. */
export interface DevEnginesOptions {
  /** Data, logs and the state file lie under it. */
  readonly directory: string;
  readonly say: (line: string) => void;
  /** @default devPorts */
  readonly ports?: DevPorts;
}

/** Ends what runs of an engine; answers the pids. */
async function endEngine({ name, processes }: DevEngine, say: (line: string) => void): Promise<number[]> {
  const ended = await Promise.all(processes.map(endProcess));
  const pids = processes.filter((_, i) => ended[i]).map(({ pid }) => pid);
  if (pids.length > 0) say(`${name}: ended ${pids.join(", ")}`);
  return pids;
}

function statusOf(name: DevEngineName, engine: DevEngine | undefined): DevEngineStatus {
  const { address = "", processes = [] } = engine ?? {};
  const pids = processes.filter(isAlive).map(({ pid }) => pid);
  const state = pids.length === 0 ? "down" : pids.length === processes.length ? "up" : "part";
  return { name, address, pids, state, logFiles: processes.map(({ logFile }) => logFile) };
}

/** The engines of a directory. */
export function createDevEngines({ directory, say, ports = devPorts }: DevEnginesOptions): DevEngines {
  const folder = resolve(directory);
  const stateFile = join(folder, "engines.json");
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    mkdirSync(folder, { recursive: true });
    return withLock(join(folder, "engines.lock"), lockTimeoutMs, work);
  };

  const startOne = async (name: DevEngineName): Promise<void> => {
    const before = readState(stateFile).find((engine) => engine.name === name);
    if (before?.processes.every(isAlive)) return;
    if (before !== undefined) await endEngine(before, say);
    const startedMs = performance.now();
    const { address, servers } = await startDevEngine(name, join(folder, name), ports);
    // Written down first: from then on nothing but `down` ends them.
    rememberEngine(stateFile, { name, address, processes: servers.map(describeProcess) });
    for (const server of servers) server.release();
    say(`${name}: up after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  };

  return {
    up: (names = devEngineNames) =>
      alone(async () => {
        const starts = await Promise.allSettled(names.map(startOne));
        for (const start of starts) if (start.status === "rejected") throw start.reason;
      }),
    down: () =>
      alone(async () => {
        const pids = await Promise.all(readState(stateFile).map((engine) => endEngine(engine, say)));
        rmSync(stateFile, { force: true });
        return pids.flat();
      }),
    status() {
      const state = readState(stateFile);
      return devEngineNames.map((name) =>
        statusOf(
          name,
          state.find((engine) => engine.name === name),
        ),
      );
    },
  };
}
