import { mkdirSync } from "node:fs";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { ProcessLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { type BuildPagesOptions, buildPages } from "./build-pages.ts";
import { type Config, coreRolesOf, isWhole } from "./config.ts";
import { demoAccounts } from "./demo-data.ts";
import type { FailureSwitches } from "./failure-switches.ts";
import { needsNoData } from "./open-engines.ts";
import type { ListenerPorts } from "./open-listeners.ts";
import { openMeshEngines } from "./open-mesh-engines.ts";
import type { Telemetry } from "./open-telemetry.ts";
import { createOpsPage } from "./ops-page.ts";
import { createServeOps, type ServeOps } from "./ops-pages.ts";
import { createOpsServer, type OpsServer, type OpsServerOptions } from "./ops-server.ts";
import { runWorkers } from "./run-workers.ts";
import { createServeOther } from "./serve-other.ts";
import { startChappe } from "./start-chappe.ts";
import { startRoles } from "./start-roles.ts";

/** What startProcess needs. */
export interface ProcessOptions {
  readonly config: Config;
  readonly logger: ProcessLogger;
  /** The chat page's source; built when this process serves it. */
  readonly pages: BuildPagesOptions;
  /** The program of this process, for its workers. */
  readonly script: string;
}

/** A process that is up. */
export interface RunningProcess {
  readonly port?: number;
  readonly linkPort?: number;
  readonly listenerPorts?: ListenerPorts;
  readonly opsPort?: number;
  readonly workerPids?: readonly number[];
  readonly telemetry?: Telemetry;
  readonly switches?: FailureSwitches | undefined;
  ready(): boolean;
  remark?(): string | undefined;
  /** Drains for so long, then stops everything in order. Idempotent. */
  close(drainMs: number): Promise<void>;
}

const isLoopback = (host: string): boolean => /^(?:127\.[\d.]+|::1|localhost)$/.test(host);
const noDemo = { demoNames: [], demoPassword: "" };

function makeDataDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    const { message } = cause as Error;
    throw new ChappeError("INVALID_ARGUMENT", `data directory ${path} cannot be used: ${message}`, { cause });
  }
}

async function startWorkers({ config, logger, script }: ProcessOptions): Promise<RunningProcess> {
  const workers = await runWorkers({ config, script, logger });
  return { port: config.port, workerPids: workers.pids, ready: workers.ready, close: () => workers.close() };
}

/** All roles on engines of their own, or some as a part of a mesh. */
async function startSome(options: ProcessOptions): Promise<RunningProcess> {
  const { config, logger } = options;
  if (config.workers > 1) return startWorkers(options);
  const onFailed = (error: ChappeError): void => {
    logger.error("engine.failed", { error });
    process.exit(1);
  };
  if (coreRolesOf(config).size > 0 && !needsNoData(config)) makeDataDirectory(config.dataDirectory);
  const { names, password } = demoAccounts;
  const chatConfig = config.devMode ? { demoNames: names, demoPassword: password } : noDemo;
  const pages = config.roles.includes("login") ? await buildPages(options.pages) : ".";
  const serveOther = createServeOther(pages, chatConfig);
  if (isWhole(config)) return startChappe({ config, logger, serveOther, onFailed });
  const engines = openMeshEngines(config);
  const roles = await startRoles({ config, engines, logger, serveOther, onFailed }).catch(async (error: unknown) => {
    await engines.close();
    throw error;
  });
  return {
    ...roles,
    async close(within) {
      await roles.close(within);
      await engines.close();
    },
  };
}

const devOpsPort = 9_000;
const devOpsPorts = 10;

/** Opens the ops port of a developer's server: the first free one of a few, for this machine alone. */
async function openDevOps(options: Omit<OpsServerOptions, "host" | "port">): Promise<OpsServer> {
  for (let port = devOpsPort; port < devOpsPort + devOpsPorts; port++) {
    try {
      return await createOpsServer({ ...options, host: "127.0.0.1", port });
    } catch (error) {
      if (ChappeError.from(error).row.name !== "UNAVAILABLE") throw error;
    }
  }
  return createOpsServer({ ...options, host: "127.0.0.1", port: 0 });
}

/** The ops port that the settings name, or that a developer's server has all the same; undefined = none. */
async function openOps({ config, logger }: ProcessOptions, running: RunningProcess): Promise<OpsServer | undefined> {
  const { host, opsPort: port, devMode, json } = config;
  const isDev = isWhole(config) && devMode && !json;
  if (port === undefined && !isDev) return undefined;
  const { telemetry } = running;
  // A server that other machines reach fails for nobody's pleasure.
  const switches = port === undefined || isLoopback(host) ? running.switches : undefined;
  const page = telemetry && createOpsPage({ telemetry, switches });
  const serveRest = telemetry && createServeOps(telemetry, logger);
  const serve: ServeOps = (...call) => page?.serve(...call) || serveRest?.(...call) || false;
  const options = { ready: () => running.ready(), remark: () => running.remark?.(), serve };
  const ops = await (port === undefined ? openDevOps(options) : createOpsServer({ ...options, host, port }));
  return {
    ...ops,
    async close() {
      await ops.close();
      page?.close();
    },
  };
}

/** Starts what the settings say, and the ops port last: who is asked is up. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const running = await startSome(options);
  const ops = await openOps(options, running).catch(async (error: unknown) => {
    await running.close(0);
    throw error;
  });
  if (ops === undefined) return running;
  return {
    ...running,
    opsPort: ops.port,
    async close(drainMs) {
      await running.close(drainMs);
      await ops.close();
    },
  };
}
