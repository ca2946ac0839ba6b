import { type Account, registerAccounts } from "../support/accounts.ts";
import type { ServerProcess } from "../support/start-server.ts";
import { type BenchFigures, type BenchOptions, loadOverheadMs, rounded } from "./bench-options.ts";
import { withRestartedServer } from "./bench-server.ts";
import { runGenerator } from "./run-generator.ts";

const defaultConnections = 5_000;
/** Share of the connections that is open at the first reading. */
const firstShare = 0.4;
const loadMs = 60_000;

/** Idle connections: what one more costs, from the slope of the server's resident memory. */
export function benchIdle(options: BenchOptions): Promise<BenchFigures> {
  const register = ({ port }: ServerProcess): Promise<Account[]> =>
    registerAccounts({ port, count: options.size || defaultConnections });
  return withRestartedServer(options.serverArgs, register, async ({ port, pid: serverPid }, accounts) => {
    const firstConnections = Math.floor(accounts.length * firstShare);
    const config = { scenario: "idle", port, serverPid, accounts, firstConnections } as const;
    const answer = await runGenerator(config, loadMs + loadOverheadMs);
    if (!("idle" in answer)) throw new Error("the generator answered something else than idle");
    const { idle } = answer;
    return {
      scenario: "idle",
      connections: idle.connections,
      kibPerConnection: rounded((idle.rssKib - idle.firstRssKib) / (idle.connections - idle.firstConnections)),
      connectsPerSecond: rounded(idle.connectsPerSecond),
    };
  });
}
