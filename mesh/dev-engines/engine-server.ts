import { type EngineProcess, type EngineProcessOptions, startEngineProcess } from "./engine-process.ts";
import type { RunDirectory } from "./run-directory.ts";
import { waitUntilHealthy } from "./wait-until-healthy.ts";

/** One server process of an engine, ours. */
export interface EngineServer {
  /** Of the process that runs, or ran last. */
  readonly pid: number;
  readonly logFile: string;
  /** SIGKILL (the default) and SIGTERM wait for its end; SIGSTOP and SIGCONT are the way to a pause. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Kills it if need be, starts it on the same port and data, and waits until it answers. */
  restart(): Promise<void>;
  /** From now on it goes on when this process ends; until then it is killed with it, however it ends. */
  release(): void;
}

/** A server that has been started; settle `ready` before use. */
export interface StartedServer extends EngineServer {
  /** Waits until `check`, by default the one of the options, resolves. */
  ready(check?: () => Promise<void>, signal?: AbortSignal): Promise<void>;
}

/** What a server is and when it is healthy. */
export interface EngineServerOptions {
  /** For messages. */
  readonly what: string;
  readonly process: EngineProcessOptions;
  readonly check: () => Promise<void>;
  /** For it to become healthy. */
  readonly timeoutMs: number;
}

/** What closes a server whose files go with it. */
export type CloseServer = () => Promise<void>;

/** Waits until a server is healthy; answers how it and its run are ended, which is done here when it is not. */
export async function settleServer(
  server: StartedServer,
  run: RunDirectory,
  signal: "SIGKILL" | "SIGTERM" = "SIGKILL",
): Promise<CloseServer> {
  const close = async (): Promise<void> => {
    await server.kill(signal);
    run.remove();
  };
  try {
    await server.ready();
    return close;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Starts a server. */
export function createEngineServer({ what, process: options, check, timeoutMs }: EngineServerOptions): StartedServer {
  let process: EngineProcess = startEngineProcess(options);
  const ready = (how = check, signal?: AbortSignal): Promise<void> =>
    waitUntilHealthy({ what, process, check: how, timeoutMs, ...(signal === undefined ? {} : { signal }) });
  return {
    get pid() {
      return process.pid;
    },
    logFile: options.logFile,
    ready,
    kill: (signal = "SIGKILL") => process.kill(signal),
    release: () => process.release(),
    async restart() {
      await process.kill("SIGKILL");
      process = startEngineProcess(options);
      await ready();
    },
  };
}
