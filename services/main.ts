/** Starts Chappe with every role in this process: `npm start [-- --port N --data DIR]`. */
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createLogger, type Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { buildPages } from "./all/build-pages.ts";
import { type Config, isWhole, readConfig } from "./all/config.ts";
import { createDemoData, demoAccounts } from "./all/demo-data.ts";
import type { ListenerPorts } from "./all/open-listeners.ts";
import { openMeshEngines } from "./all/open-mesh-engines.ts";
import { createServeOther } from "./all/serve-other.ts";
import { startChappe } from "./all/start-chappe.ts";
import { startRoles } from "./all/start-roles.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const chatPage = { source: pathOf("../clients/web-chat"), dependsOn: [pathOf("../clients/ts-sdk"), pathOf("../gen")] };
const noDemo = { demoNames: [], demoPassword: "" };
const drainMs = 500;

function showTable(chappe: Running, host: string, dataDirectory: string): void {
  const url = `http://${host}:${chappe.port}`;
  const rows = [
    ["chat page", `${url}/`],
    ["API (Connect JSON, gRPC-web)", url],
    ["long connections", `ws://${host}:${chappe.port}/v1/socket`],
    ...Object.entries(chappe.listenerPorts ?? {}).map(([kind, port]) => [
      `long connections, ${kind}`,
      `${host}:${port}`,
    ]),
    ["data directory", resolve(dataDirectory)],
    ["demo users", `${demoAccounts.names.join(", ")} (password "${demoAccounts.password}")`],
    ["demo group", demoAccounts.group],
    ["mode", "development: demo accounts with a known password; --no-dev turns them off"],
  ];
  const width = Math.max(...rows.map(([name]) => name!.length));
  console.log(
    ["", "Chappe is up.", ...rows.map(([name, value]) => `  ${name!.padEnd(width)}  ${value}`), ""].join("\n"),
  );
}

function makeDataDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    const { message } = cause as Error;
    throw new ChappeError("INVALID_ARGUMENT", `data directory ${path} cannot be used: ${message}`, { cause });
  }
}

interface Running {
  readonly port?: number;
  readonly linkPort?: number;
  readonly listenerPorts?: ListenerPorts;
  close(drainMs: number): Promise<void>;
}

/** All roles on engines of their own, or some as a part of a mesh. */
async function start(config: Config, logger: Logger): Promise<Running> {
  const onFailed = (error: ChappeError): void => {
    logger.error("engine.failed", { error });
    process.exit(1);
  };
  const { names, password } = demoAccounts;
  const chatConfig = config.devMode ? { demoNames: names, demoPassword: password } : noDemo;
  const pages = config.roles.includes("login") ? await buildPages(chatPage) : pathOf(".");
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

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env);
  const logger = createLogger();
  if (config.roles.includes("core")) makeDataDirectory(config.dataDirectory);
  const running = await start(config, logger);
  const stop = (): void => {
    running.close(drainMs).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error("close.failed", { error });
        process.exit(1);
      },
    );
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const { port, linkPort, listenerPorts } = running;
  if (isWhole(config) && config.devMode && !config.json) await createDemoData(`http://${config.host}:${port}`);
  if (config.json) console.log(JSON.stringify({ ready: true, port, linkPort, ...listenerPorts, pid: process.pid }));
  else if (isWhole(config)) showTable(running, config.host, config.dataDirectory);
  else console.log(`Chappe ${config.instanceId} is up: ${config.roles.join(", ")}`);
}

main().catch((cause: unknown) => {
  const error = ChappeError.from(cause);
  const cause2 = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  process.stderr.write(`chappe: ${error.row.name}: ${error.message}${error.row.name === "INTERNAL" ? cause2 : ""}\n`);
  process.exitCode = 1;
});
