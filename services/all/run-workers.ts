import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type Config, workerSettings } from "./config.ts";

/** What runWorkers needs. */
export interface WorkersOptions {
  /** Settings of the parent; each worker gets a name and an ops port of its own. */
  readonly config: Config;
  /** The program that each worker runs. */
  readonly script: string;
  readonly logger: Logger;
}

/** Processes that share the ports of one Login. */
export interface Workers {
  /** Ids of those that run now. */
  readonly pids: readonly number[];
  /** Whether all of them are up. */
  ready(): boolean;
  /** Ends them: SIGTERM, and SIGKILL when they do not keep to the time they have. */
  close(): Promise<void>;
}

/** Settings of worker number `index`, from 1. */
function settingsOf(config: Config, index: number): Config {
  const { instanceId, opsPort } = config;
  const own = { workers: 1, sharesPorts: true, json: true, instanceId: `${instanceId}-w${index}` };
  return { ...config, ...own, ...(opsPort !== undefined && { opsPort: opsPort + index }) };
}

/** One worker and those that come after it when it dies. */
class Worker {
  readonly #options: WorkersOptions;
  readonly #index: number;
  readonly #up = Promise.withResolvers<void>();
  #child: ChildProcess | undefined;
  #isUp = false;
  #closing = false;
  #restart: NodeJS.Timeout | undefined;

  constructor(options: WorkersOptions, index: number) {
    this.#options = options;
    this.#index = index;
    this.#start();
  }

  /** It has been up once; rejects when the first one ends before. */
  get up(): Promise<void> {
    return this.#up.promise;
  }
  get isUp(): boolean {
    return this.#isUp;
  }
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const { drainMs } = this.#options.config;
      const timer = setTimeout(() => child.kill("SIGKILL"), drainMs + 2 * limits.processCloseTimeoutMs);
      child.once("exit", () => {
        clearTimeout(timer);
        resolve();
      });
      child.kill("SIGTERM");
    });
  }

  #start(): void {
    const { config, script } = this.#options;
    const env = { ...process.env, [workerSettings]: JSON.stringify(settingsOf(config, this.#index)) };
    // Its standard input ends with this process, however that ends: then it stops too.
    const child = spawn(process.execPath, [script], { env, stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    createInterface(child.stdout).once("line", () => {
      this.#isUp = true;
      this.#up.resolve();
    });
    child.stdin.on("error", () => undefined);
    child.on("error", () => undefined);
    child.once("close", (code, signal) => this.#onEnd(code, signal));
  }

  #onEnd(code: number | null, signal: string | null): void {
    this.#isUp = false;
    this.#child = undefined;
    this.#up.reject(new Error(`worker ${this.#index} has ended before it was up`));
    if (this.#closing) return;
    this.#options.logger.error("worker.ended", { worker: this.#index, code, signal });
    this.#restart = setTimeout(() => this.#start(), limits.workerRestartMs);
  }
}

/** Starts the workers, and each again when it ends; settles when all are up, rejects when one cannot start. */
export async function runWorkers(options: WorkersOptions): Promise<Workers> {
  const workers = Array.from({ length: options.config.workers }, (_, index) => new Worker(options, index + 1));
  const close = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.close()));
  };
  try {
    await Promise.all(workers.map(({ up }) => up));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    get pids() {
      return workers.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
    },
    ready: () => workers.every(({ isUp }) => isUp),
    close,
  };
}
