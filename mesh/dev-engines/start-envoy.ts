import { join } from "node:path";
import { dynamicFiles, staticFiles } from "../envoy/envoy-files.ts";
import { type EnvoySettings, parseEnvoySettings } from "../envoy/envoy-settings.ts";
import { writeEnvoyFiles } from "../envoy/write-envoy-files.ts";
import { limits } from "../limits.ts";
import { createEngineServer, type EngineServer, type StartedServer, settleServer } from "./engine-server.ts";
import { fetchEnvoy } from "./fetch-envoy.ts";
import { freePort } from "./free-port.ts";
import { openRunDirectory, type RunDirectory } from "./run-directory.ts";
import { runToEnd } from "./run-to-end.ts";

const startTimeoutMs = 30_000;
const validateTimeoutMs = 60_000;
const adminTimeoutMs = 2_000;

/** How to start Envoy. */
export interface EnvoyOptions {
  /** Settings as in their file; ports that are absent are free ones of 127.0.0.1. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Which listeners besides HTTP get a free port. @default none */
  readonly listeners?: readonly ("tcp" | "udp")[];
  /** Absolute path of the files of the dynamic form, where those of endpoints are, or will be. @default the static form */
  readonly filesFrom?: string;
  /** Threads. @default 1 */
  readonly concurrency?: number;
}

/** An Envoy of ours. */
export interface EnvoyServer extends EngineServer {
  readonly settings: EnvoySettings;
  /** What the admin port answers. */
  admin(path: string, method?: "GET" | "POST"): Promise<string>;
  /** Takes nothing new, lets short calls end, and ends after limits.proxyDrainMs. Clients come back elsewhere. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Checks a configuration file as Envoy itself does. UNAVAILABLE with what it says when it refuses. */
export async function validateEnvoyFile(path: string): Promise<void> {
  const program = await fetchEnvoy();
  await runToEnd(program, ["--mode", "validate", "-c", path], { cwd: "/", timeoutMs: validateTimeoutMs });
}

async function completeSettings({ settings, listeners = [] }: EnvoyOptions): Promise<EnvoySettings> {
  const free = {
    host: "127.0.0.1",
    port: await freePort(),
    adminPort: await freePort(),
    ...(listeners.includes("tcp") && { tcpPort: await freePort() }),
    ...(listeners.includes("udp") && { udpPort: await freePort() }),
  };
  return parseEnvoySettings({ ...free, ...settings });
}

/** Asks the admin port. */
function adminOf({ adminPort }: EnvoySettings): EnvoyServer["admin"] {
  return async (path, method = "GET") => {
    const signal = AbortSignal.timeout(adminTimeoutMs);
    const answer = await fetch(`http://127.0.0.1:${adminPort}${path}`, { method, signal });
    if (!answer.ok) throw new Error(`Envoy's admin port answers ${path} with ${answer.status}`);
    return answer.text();
  };
}

// Without hot restart two of them may listen on the same ports, and one takes over from the other.
const drainFlags = ["--drain-time-s", String(limits.proxyDrainMs / 1000)];
const flags = ["--disable-hot-restart", "--log-level", "warning", ...drainFlags];

function startProcess(
  program: string,
  run: RunDirectory,
  config: string,
  port: number,
  concurrency: number,
  admin: EnvoyServer["admin"],
): StartedServer {
  return createEngineServer({
    what: `envoy on port ${port}`,
    process: {
      program,
      args: ["-c", join(config, "envoy.yaml"), "--concurrency", String(concurrency), ...flags],
      cwd: run.path,
      logFile: join(run.path, "envoy.log"),
      ...(run.temporary !== undefined && { temporaryDirectory: run.temporary }),
    },
    check: async () => void (await admin("/ready")),
    timeoutMs: startTimeoutMs,
  });
}

/** Starts Envoy on loopback and waits until it is live. UNAVAILABLE with its log if it is not. */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyServer> {
  const { filesFrom, concurrency = 1 } = options;
  const program = await fetchEnvoy();
  const settings = await completeSettings(options);
  const run = openRunDirectory("envoy", undefined);
  const config = filesFrom ?? run.path;
  writeEnvoyFiles(config, filesFrom === undefined ? staticFiles(settings) : dynamicFiles(settings, filesFrom));
  const admin = adminOf(settings);
  const server = startProcess(program, run, config, settings.port, concurrency, admin);
  const close = await settleServer(server, run);
  const drain = async (): Promise<void> => {
    await admin("/healthcheck/fail", "POST");
    await admin("/drain_listeners?graceful", "POST");
    await new Promise((resolve) => setTimeout(resolve, limits.proxyDrainMs));
    await server.kill("SIGTERM");
  };
  return {
    get pid() {
      return server.pid;
    },
    logFile: server.logFile,
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
    release: () => server.release(),
    settings,
    admin,
    drain,
    close,
  };
}
