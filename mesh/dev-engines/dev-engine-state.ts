import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { DevEngineName } from "./dev-engine-set.ts";
import type { EngineServer } from "./engine-server.ts";
import { processIdentity } from "./process-identity.ts";

const pollMs = 100;
const stopTimeoutMs = 10_000;

/** A process of an engine, as the state file remembers it. */
export interface DevProcess {
  readonly pid: number;
  /** What only this process has: see processIdentity. */
  readonly identity: string;
  readonly logFile: string;
}

/** An engine that was started. */
export interface DevEngine {
  readonly name: DevEngineName;
  /** How clients reach it. */
  readonly address: string;
  readonly processes: readonly DevProcess[];
}

/** The engines that were started and not taken down. */
export function readState(file: string): DevEngine[] {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as DevEngine[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Writes an engine down, in place of what is there by its name. */
export function rememberEngine(file: string, engine: DevEngine): void {
  const others = readState(file).filter(({ name }) => name !== engine.name);
  writeFileSync(file, `${JSON.stringify([...others, engine], undefined, 2)}\n`);
}

/** What to remember of a process that runs. */
export const describeProcess = ({ pid, logFile }: EngineServer): DevProcess => ({
  pid,
  identity: processIdentity(pid) ?? "",
  logFile,
});

/** Whether it is still the process that was started. */
export const isAlive = ({ pid, identity }: DevProcess): boolean => processIdentity(pid) === identity;

/**
 * SIGTERM, and SIGKILL when that takes too long; never to another process that has the pid by now. Answers whether
 * there was one to end.
 */
export async function endProcess(target: DevProcess): Promise<boolean> {
  if (!isAlive(target)) return false;
  process.kill(target.pid, "SIGTERM");
  const deadlineMs = performance.now() + stopTimeoutMs;
  while (isAlive(target)) {
    if (performance.now() > deadlineMs) process.kill(target.pid, "SIGKILL");
    await delay(pollMs);
  }
  return true;
}
