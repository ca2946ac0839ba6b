import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Path at which the server upgrades to WebSocket. */
export const websocketPath = "/v1/socket";

const entryPoint = fileURLToPath(new URL("../../services/main.ts", import.meta.url));
const startTimeoutMs = 90_000;
const stopTimeoutMs = 15_000;
/** Servers and engines of one test, each with a listener that ends it. */
const mostServers = 50;
const keptErrorBytes = 16 * 1024;

/** How to start a server process. */
export interface ServerOptions {
  readonly dataDir: string;
  /** Port of 127.0.0.1. @default 0: the system chooses */
  readonly port?: number;
  /** Further arguments of services/main.ts. */
  readonly args?: readonly string[];
  /** The program. @default services/main.ts */
  readonly entry?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running server process of ours. */
export interface ServerProcess {
  readonly pid: number;
  /** HTTP port; 0 when the process has none. */
  readonly port: number;
  /** What the process said when it was ready. */
  readonly ready: ReadyLine;
  /** Settles when the process has ended, with its exit code or signal. */
  readonly exited: Promise<string>;
  /** The end of what it wrote to stderr. */
  errorText(): string;
  /** kill -9; returns when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and SIGKILL when that takes more than 15 s. */
  close(): Promise<void>;
}

/** One JSON line. */
export interface ReadyLine {
  readonly ready: true;
  readonly port?: number;
  readonly linkPort?: number;
  readonly tcp?: number;
  readonly grpc?: number;
  readonly udp?: number;
  readonly opsPort?: number;
  readonly workerPids?: readonly number[];
  readonly pid: number;
}

function isReadyLine(line: string): ReadyLine | undefined {
  if (!line.startsWith("{")) return undefined;
  const parsed = JSON.parse(line) as Partial<ReadyLine>;
  return parsed.ready === true ? (parsed as ReadyLine) : undefined;
}

function waitForReady(child: ChildProcess, exited: Promise<string>, errorText: () => string): Promise<ReadyLine> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the server was not ready in time\n${errorText()}`)),
      startTimeoutMs,
    );
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const ready = isReadyLine(line);
      if (ready === undefined) return;
      clearTimeout(timer);
      resolve(ready);
    });
    void exited.then((how) => {
      clearTimeout(timer);
      reject(new Error(`the server ended (${how}) before it was ready\n${errorText()}`));
    });
  });
}

/** Starts services/main.ts as a child process and waits until it says that it is ready. It dies with this process. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const port = String(options.port ?? 0);
  const args = [
    options.entry ?? entryPoint,
    "--data",
    options.dataDir,
    "--port",
    port,
    "--json",
    ...(options.args ?? []),
  ];
  const env = { ...process.env, ...options.env };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env });
  const killAtExit = (): boolean => child.kill("SIGKILL");
  process.setMaxListeners(Math.max(process.getMaxListeners(), mostServers));
  process.once("exit", killAtExit);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-keptErrorBytes);
  });
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(String(error)));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  void exited.then(() => process.removeListener("exit", killAtExit));
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  };
  try {
    const ready = await waitForReady(child, exited, () => errors);
    return {
      pid: child.pid!,
      port: ready.port ?? 0,
      ready,
      exited,
      errorText: () => errors,
      kill: () => stop("SIGKILL"),
      close: () => stop("SIGTERM"),
    };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}
