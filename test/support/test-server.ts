import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { readConfig } from "@chappe/services/all/config.ts";
import { createServeOther } from "@chappe/services/all/serve-other.ts";
import { type Chappe, startChappe } from "@chappe/services/all/start-chappe.ts";

/** A server of this test, on a data directory of its own. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly listenerPorts: Chappe["listenerPorts"];
  readonly dataDirectory: string;
  stats(): ReturnType<Chappe["stats"]>;
  /** What it tells of itself. */
  telemetry(): Chappe["telemetry"];
  /** Stops the server and starts it again on the same data, which `between` may change meanwhile. */
  restart(between?: () => Promise<void>): Promise<void>;
  /** Stops the server and deletes its data. */
  close(): Promise<void>;
}

/** Starts every role in this process on any free port, with cheap password hashes; arguments and variables as for `npm start`. */
export async function startTestServer(
  moreArgs: readonly string[] = [],
  moreEnv: Readonly<Record<string, string>> = {},
): Promise<TestServer> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "chappe-e2e-"));
  const start = (port: number): Promise<Chappe> => {
    const args = ["--port", String(port), "--data", dataDirectory, "--json", ...moreArgs];
    const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
    const config = readConfig(args, { ...env, ...moreEnv });
    const serveOther = createServeOther(join(dataDirectory, "no-pages"), { demoNames: [], demoPassword: "" });
    const onFailed = (error: Error): void => {
      throw error;
    };
    return startChappe({ config, logger: silentLogger, serveOther, onFailed });
  };
  let chappe = await start(0);
  const { port } = chappe;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    listenerPorts: chappe.listenerPorts,
    dataDirectory,
    stats: () => chappe.stats(),
    telemetry: () => chappe.telemetry,
    async restart(between) {
      await chappe.close();
      await between?.();
      chappe = await start(port);
    },
    async close() {
      await chappe.close();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}
