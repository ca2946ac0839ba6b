import { mkdirSync } from "node:fs";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { ProcessLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { type BuildPagesOptions, buildPages } from "./build-pages.ts";
import { type Config, coreRolesOf, isWhole } from "./config.ts";
import { demoAccounts } from "./demo-data.ts";
import { needsNoData } from "./open-engines.ts";
import type { ListenerPorts } from "./open-listeners.ts";
import { openMeshEngines } from "./open-mesh-engines.ts";
import type { Telemetry } from "./open-telemetry.ts";
import { createServeOps } from "./ops-pages.ts";
import { createOpsServer } from "./ops-server.ts";
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
  ready(): boolean;
  remark?(): string | undefined;
  /** Drains for so long, then stops everything in order. Idempotent. */
  close(drainMs: number): Promise<void>;
}

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

/** Starts what the settings say, and the ops port last: who is asked is up. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const running = await startSome(options);
  const { host, opsPort } = options.config;
  if (opsPort === undefined) return running;
  const ready = (): boolean => running.ready();
  const remark = (): string | undefined => running.remark?.();
  const serve = running.telemetry && createServeOps(running.telemetry, options.logger);
  const ops = await createOpsServer({ host, port: opsPort, ready, remark, ...(serve && { serve }) }).catch(
    async (error: unknown) => {
      await running.close(0);
      throw error;
    },
  );
  return {
    ...running,
    opsPort: ops.port,
    async close(drainMs) {
      await running.close(drainMs);
      await ops.close();
    },
  };
}
