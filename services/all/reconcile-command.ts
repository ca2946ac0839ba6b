import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type ReconcileResult, reconcile } from "../reconcile/reconcile.ts";
import { readConfig } from "./config.ts";
import { openEngines } from "./open-engines.ts";

const sampleFlag = "--sample";

function readSample(args: readonly string[]): { sample: number; rest: readonly string[] } {
  const at = args.indexOf(sampleFlag);
  if (at === -1) return { sample: limits.reconcileSample, rest: args };
  const sample = Number(args[at + 1]);
  if (!Number.isInteger(sample) || sample < 1)
    throw new ChappeError("INVALID_ARGUMENT", `${sampleFlag}: must be followed by a number of conversations`);
  return { sample, rest: [...args.slice(0, at), ...args.slice(at + 2)] };
}

function textOf({ conversations, messages, incidents }: ReconcileResult): string {
  const read = Object.entries(messages).map(([tier, count]) => `${tier} ${count}`);
  const head = `${conversations} conversations compared (messages read: ${read.join(", ")}), ${incidents.length} differ`;
  const lines = incidents.map(
    ({ conversation, tiers, differences: [first] }) =>
      `${conversation}: ${tiers.join(", ")} differ, first ${first?.what} at seq ${first?.seq}`,
  );
  return [head, ...lines].join("\n");
}

/**
 * `chappe reconcile [--sample N] [--json] [settings]`: compares conversations over the engines that the settings name.
 * Answers whether nothing differs. The embedded engines belong to one process, so it must not run then.
 */
export async function runReconcileCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  print: (text: string) => void,
): Promise<boolean> {
  const { sample, rest } = readSample(args);
  const config = readConfig(rest, env);
  const logger = createLogger();
  const shared = { presence: createMemoryPresence(), directory: createMemoryDirectory() };
  const onFailed = (error: ChappeError): void => logger.error("engine.failed", { error });
  const engines = await openEngines(config, logger, onFailed, shared);
  try {
    const result = await reconcile({ ...engines, logger, sample });
    print(config.json ? JSON.stringify(result) : textOf(result));
    return result.incidents.length === 0;
  } finally {
    await engines.close();
  }
}
