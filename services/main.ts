/** The program of every process; without a command it serves. Settings are in all/settings.ts. */
import { fileURLToPath } from "node:url";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { isWhole, readConfig, workerSettings } from "./all/config.ts";
import { createDemoData } from "./all/demo-data.ts";
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

/** What a command answers with is printed: text as it is, anything else as JSON. */
interface Command {
  readonly usage: string;
  run(args: readonly string[]): unknown;
}

/** Commands but `serve` load what they need when they are run. */
const commands: Readonly<Record<string, Command>> = {
  serve: { usage: "serve [arguments]", run: serve },
  config: {
    usage: "config check [arguments] | config doc",
    run([what, ...rest]) {
      if (what === "check") return JSON.stringify(readConfig(rest, process.env), undefined, 2);
      if (what === "doc") return describeSettings();
      throw new ChappeError("INVALID_ARGUMENT", "config: say check or doc");
    },
  },
  trace: {
    usage: "trace <client message id> [--conversation ID] [--ops HOST:PORT] [--json]",
    run: async (args) => (await import("./all/trace-command.ts")).runTraceCommand(args, process.env),
  },
  "trace-token": {
    usage: "trace-token [--hours N]",
    run: async (args) => (await import("./all/make-trace-token.ts")).makeTraceToken(args, process.env),
  },
  engines: {
    usage: "engines up|down|status",
    run: async (args) => (await import("./all/engines-command.ts")).runEnginesCommand(args, console.log),
  },
  migrate: {
    usage: "migrate [--mysql-url URL]",
    run: async (args) => (await import("./all/migrate-database.ts")).migrateDatabase(args, process.env),
  },
  certs: {
    usage: "certs --out DIR [--roles R,R] [--hosts H,H] [--hours N]",
    run: async (args) => (await (await import("./all/certs-command.ts")).makeCertificates(args)).join("\n"),
  },
  envoy: {
    usage: "envoy config|check",
    run: async (args) => (await import("./all/envoy-command.ts")).runEnvoyCommand(args),
  },
  "skip-record": {
    usage: "skip-record --partition N --offset N",
    run: async (args) => (await import("./all/skip-record-command.ts")).runSkipRecord(args, process.env),
  },
  reconcile: {
    usage: "reconcile [--sample N] [arguments]",
    async run(args) {
      const { runReconcileCommand } = await import("./all/reconcile-command.ts");
      if (!(await runReconcileCommand(args, process.env, console.log))) process.exitCode = 1;
    },
  },
  archive: {
    usage: "archive status|create-table",
    run: async (args) => (await import("./all/archive-command.ts")).runArchiveCommand(args, process.env, console.log),
  },
  pages: {
    usage: "pages (builds the chat page and the ops page)",
    async run() {
      const { buildPages } = await import("./all/build-pages.ts");
      const { opsPages } = await import("./all/ops-page.ts");
      return [await buildPages(pages), await buildPages(opsPages)].join("\n");
    },
  },
};

async function main(args: readonly string[]): Promise<void> {
  const [name = "serve", ...rest] = args[0]?.startsWith("--") ? ["serve", ...args] : args;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const usages = Object.values(commands).map(({ usage }) => usage);
    throw new ChappeError("INVALID_ARGUMENT", `unknown command ${name}\nusage: ${usages.join("\n       ")}`);
  }
  const answer = await command.run(rest);
  if (answer !== undefined) console.log(typeof answer === "string" ? answer : JSON.stringify(answer));
}

main(process.argv.slice(2)).catch((cause: unknown) => {
  const error = ChappeError.from(cause);
  const cause2 = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  const text = `chappe: ${error.row.name}: ${error.message}${error.row.name === "INTERNAL" ? cause2 : ""}\n`;
  // Whatever a start that failed has left open must not keep the process from ending: its supervisor waits for that.
  process.stderr.write(text, () => process.exit(1));
});
