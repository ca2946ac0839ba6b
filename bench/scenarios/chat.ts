import { registerAccounts } from "../support/accounts.ts";
import type { ServerProcess } from "../support/start-server.ts";
import { type BenchFigures, type BenchOptions, loadOverheadMs } from "./bench-options.ts";
import { withBenchServer } from "./bench-server.ts";
import { runGenerator } from "./run-generator.ts";
import { trafficFigures } from "./traffic-figures.ts";

const defaultPairs = 200;
const defaultWindow = 16;

/** One chat load on fresh users: so many messages of each pair in flight, or the open loop of the options. */
export async function runWindow(server: ServerProcess, options: BenchOptions, window: number): Promise<BenchFigures> {
  const { port, pid: serverPid } = server;
  const count = 2 * (options.size || defaultPairs);
  const accounts = await registerAccounts({ port, count });
  const { rate, textBytes } = options;
  const times = { warmupMs: options.warmupSeconds * 1_000, measureMs: options.seconds * 1_000 };
  const config = { scenario: "chat", port, serverPid, accounts, window, rate, textBytes, ...times } as const;
  const answer = await runGenerator(config, times.warmupMs + times.measureMs + loadOverheadMs);
  return trafficFigures("chat", window, rate, answer);
}

/** 200 pairs, 100-byte texts. Without a window or a rate: windows 1 and 16, on fresh users. */
export function benchChat(options: BenchOptions): Promise<BenchFigures> {
  return withBenchServer(options.serverArgs, async (server) => {
    if (options.window > 0 || options.rate > 0) return runWindow(server, options, options.window || defaultWindow);
    const window1 = await runWindow(server, options, 1);
    return { ...(await runWindow(server, options, defaultWindow)), window1 };
  });
}
