import { type DevEngineName, devEngineNames } from "@chappe/mesh/dev-engines/dev-engine-set.ts";
import { createDevEngines, type DevEngineStatus } from "@chappe/mesh/dev-engines/dev-engines.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { textTable } from "./text-table.ts";

const defaultDirectory = ".chappe/engines";
const usage = `usage: engines up [engine ...] | engines down | engines status, each with [--data directory]
engines: ${devEngineNames.join(", ")}`;

const isEngine = (name: string): name is DevEngineName => (devEngineNames as readonly string[]).includes(name);

function tableOf(engines: readonly DevEngineStatus[]): string {
  const rows = engines.map(({ name, state, address, pids, logFiles }) => [
    name,
    state,
    address,
    pids.join(","),
    logFiles.join(" "),
  ]);
  return textTable([["engine", "state", "address", "pids", "log"], ...rows]);
}

/** `chappe engines ...`: the engines of a developer, which stay when this process ends. */
export async function runEnginesCommand(args: readonly string[], print: (text: string) => void): Promise<void> {
  const [command = "", ...rest] = args;
  const at = rest.indexOf("--data");
  const directory = at === -1 ? defaultDirectory : rest[at + 1];
  const names = rest.filter((_, i) => at === -1 || (i !== at && i !== at + 1));
  const bad = names.find((name) => !isEngine(name));
  if (!["up", "down", "status"].includes(command) || bad !== undefined || directory === undefined)
    throw new ChappeError("INVALID_ARGUMENT", `engines ${args.join(" ")}: not understood\n${usage}`);
  const engines = createDevEngines({ directory, say: print });
  if (command === "up") await engines.up(names.length === 0 ? undefined : names.filter(isEngine));
  if (command === "down" && (await engines.down()).length === 0) print("no engine of ours runs");
  if (command !== "down") print(tableOf(engines.status()));
}
