import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { skipRecord } from "../msg-writer/skip-record.ts";
import { readConfig } from "./config.ts";
import { openEngines } from "./open-engines.ts";

const usage = "usage: skip-record --partition N --offset N [settings of serve]";

function takeNumber(args: string[], flag: string): number {
  const at = args.indexOf(flag);
  const [, text = ""] = at < 0 ? [] : args.splice(at, 2);
  if (!/^\d{1,15}$/.test(text)) throw new ChappeError("INVALID_ARGUMENT", `${flag} must be a whole number; ${usage}`);
  return Number(text);
}

/**
 * The sub command `skip-record`, see skipRecord. On the journal of a data directory the server must be down.
 */
export async function runSkipRecord(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const rest = [...args];
  const place = { partition: takeNumber(rest, "--partition"), offset: takeNumber(rest, "--offset") };
  const config = readConfig(rest, env);
  const failed = Promise.withResolvers<never>();
  const engines = await openEngines(config, createLogger(), failed.reject);
  try {
    await Promise.race([skipRecord({ ...engines, place }), failed.promise]);
  } finally {
    await engines.close();
  }
  return { skipped: place };
}
