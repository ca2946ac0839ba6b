/**
 * The program of every process: `serve [arguments]` (the default), `config check [arguments]`, `config doc`,
 * `engines up|down|status`, `envoy config|check`, `migrate [--mysql-url URL]`,
 * `skip-record --partition N --offset N`, `reconcile [--sample N]`, `certs --out DIR [--roles R,R]`,
 * `archive status|create-table`. Settings are in all/settings.ts.
 */
import { fileURLToPath } from "node:url";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { isWhole, readConfig, workerSettings } from "./all/config.ts";
import { createDemoData } from "./all/demo-data.ts";
import { migrateDatabase } from "./all/migrate-database.ts";
import { describeSettings } from "./all/settings.ts";
import { showTable } from "./all/show-table.ts";
import { startProcess } from "./all/start-process.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const pages = { source: pathOf("../clients/web-chat"), dependsOn: [pathOf("../clients/ts-sdk"), pathOf("../gen")] };

async function serve(args: readonly string[]): Promise<void> {
  const config = readConfig(args, process.env);
  const logger = createLogger();
  const running = await startProcess({ config, logger, pages, script: fileURLToPath(import.meta.url) });
  const stop = (): void => {
    const { drainMs } = config;
    setTimeout(() => {
      logger.error("close.late", { drainMs });
      process.exit(1);
    }, drainMs + limits.processCloseTimeoutMs);
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
  if (process.env[workerSettings] !== undefined) process.stdin.once("end", stop).resume();
  const { port, linkPort, listenerPorts, opsPort, workerPids } = running;
  if (isWhole(config) && config.devMode && !config.json) await createDemoData(`http://${config.host}:${port}`);
  const ready = { ready: true, port, linkPort, ...listenerPorts, opsPort, workerPids, pid: process.pid };
  console.log(config.json ? JSON.stringify(ready) : showTable(config, running));
}

/** Prints the settings that would hold; what is wrong with them is the error. */
function checkConfig(args: readonly string[]): void {
  console.log(JSON.stringify(readConfig(args, process.env), undefined, 2));
}

/** Loads the clients of all engines, which no other command wants. */
async function engines(args: readonly string[]): Promise<void> {
  const { runEnginesCommand } = await import("./all/engines-command.ts");
  return runEnginesCommand(args, console.log);
}

/** For a record that has stopped a partition. */
async function skipRecord(args: readonly string[]): Promise<void> {
  const { runSkipRecord } = await import("./all/skip-record-command.ts");
  console.log(JSON.stringify(await runSkipRecord(args, process.env)));
}

/** Ends with 1 when something differs. */
async function reconcile(args: readonly string[]): Promise<void> {
  const { runReconcileCommand } = await import("./all/reconcile-command.ts");
  if (!(await runReconcileCommand(args, process.env, console.log))) process.exitCode = 1;
}

/** Reads the catalogue, or makes the table, of old messages. */
async function archive(args: readonly string[]): Promise<void> {
  const { runArchiveCommand } = await import("./all/archive-command.ts");
  return runArchiveCommand(args, process.env, console.log);
}

async function main([command = "serve", ...rest]: readonly string[]): Promise<void> {
  if (command.startsWith("--")) return serve([command, ...rest]);
  if (command === "serve") return serve(rest);
  if (command === "config" && rest[0] === "check") return checkConfig(rest.slice(1));
  if (command === "config" && rest.join() === "doc") return console.log(describeSettings());
  if (command === "engines") return engines(rest);
  if (command === "skip-record") return skipRecord(rest);
  if (command === "archive") return archive(rest);
  if (command === "certs") {
    const { makeCertificates } = await import("./all/certs-command.ts");
    return console.log((await makeCertificates(rest)).join("\n"));
  }
  if (command === "envoy") {
    const { runEnvoyCommand } = await import("./all/envoy-command.ts");
    return console.log(await runEnvoyCommand(rest));
  }
  if (command === "reconcile") return reconcile(rest);
  if (command === "migrate") return console.log(JSON.stringify(await migrateDatabase(rest, process.env)));
  const usage =
    "usage: serve [arguments] | config check [arguments] | config doc | engines up|down|status | envoy config|check | migrate [--mysql-url URL] | certs --out DIR [--roles R] | reconcile [--sample N] [arguments] | skip-record --partition N --offset N | archive status|create-table";
  throw new ChappeError("INVALID_ARGUMENT", `unknown command ${command}\n${usage}`);
}

main(process.argv.slice(2)).catch((cause: unknown) => {
  const error = ChappeError.from(cause);
  const cause2 = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  process.stderr.write(`chappe: ${error.row.name}: ${error.message}${error.row.name === "INTERNAL" ? cause2 : ""}\n`);
  process.exitCode = 1;
});
