/** Starts Chappe with every role in this process: `npm start [-- --port N --data DIR]`. */
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { buildPages } from "./all/build-pages.ts";
import { readConfig } from "./all/config.ts";
import { createDemoData, demoAccounts } from "./all/demo-data.ts";
import { createServeOther } from "./all/serve-other.ts";
import { type Chappe, startChappe } from "./all/start-chappe.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const chatPage = { source: pathOf("../clients/web-chat"), dependsOn: [pathOf("../clients/ts-sdk"), pathOf("../gen")] };
const noDemo = { demoNames: [], demoPassword: "" };
const drainMs = 500;

function showTable(chappe: Chappe, host: string, dataDirectory: string): void {
  const url = `http://${host}:${chappe.port}`;
  const rows = [
    ["chat page", `${url}/`],
    ["API (Connect JSON, gRPC-web)", url],
    ["long connections", `ws://${host}:${chappe.port}/v1/socket`],
    ...Object.entries(chappe.listenerPorts).map(([kind, port]) => [`long connections, ${kind}`, `${host}:${port}`]),
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

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env);
  const logger = createLogger();
  makeDataDirectory(config.dataDirectory);
  const onFailed = (error: ChappeError): void => {
    logger.error("engine.failed", { error });
    process.exit(1);
  };
  const pages = await buildPages(chatPage);
  const { names, password } = demoAccounts;
  const chatConfig = config.devMode ? { demoNames: names, demoPassword: password } : noDemo;
  const chappe = await startChappe({ config, logger, serveOther: createServeOther(pages, chatConfig), onFailed });
  const stop = (): void => {
    chappe.close(drainMs).then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error("close.failed", { error });
        process.exit(1);
      },
    );
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  if (config.devMode && !config.json) await createDemoData(`http://${config.host}:${chappe.port}`);
  if (config.json)
    console.log(JSON.stringify({ ready: true, port: chappe.port, ...chappe.listenerPorts, pid: process.pid }));
  else showTable(chappe, config.host, config.dataDirectory);
}

main().catch((cause: unknown) => {
  const error = ChappeError.from(cause);
  const cause2 = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  process.stderr.write(`chappe: ${error.row.name}: ${error.message}${error.row.name === "INTERNAL" ? cause2 : ""}\n`);
  process.exitCode = 1;
});
