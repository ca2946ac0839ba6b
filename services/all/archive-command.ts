import { createHbaseTables } from "@chappe/mesh/dev-engines/hbase-tables.ts";
import { historyTable } from "@chappe/mesh/engines/hbase-history/history-table.ts";
import { createMysqlArchiveSource } from "@chappe/mesh/engines/mysql-archive-source/create-mysql-archive-source.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { ArchiveDay } from "@chappe/mesh/ports/archive-source.ts";
import { type Config, readConfig } from "./config.ts";
import { mysqlOptionsOf } from "./open-stores.ts";
import { textTable } from "./text-table.ts";

const dayMs = 86_400_000;
const defaultRegions = 16;
const maxRegions = 256;
const usage = `usage: archive status | archive create-table [--regions 1..${maxRegions}], each with the arguments of serve`;

const dateOf = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10);
const timeOf = (timeMs: number): string => (timeMs === 0 ? "" : new Date(timeMs).toISOString());

function rowOf({ day, step, ...more }: ArchiveDay): string[] {
  const { messages, bytes, recopies, copiedTimeMs, archivedTimeMs } = more;
  return [dateOf(day), step, ...[messages, bytes, recopies].map(String), timeOf(copiedTimeMs), timeOf(archivedTimeMs)];
}

/** The catalogue of the archive: what each day is at, and what the history has of those that are done. */
async function showStatus(config: Config, print: (text: string) => void): Promise<void> {
  const options = mysqlOptionsOf(config);
  if (options === undefined) throw new ChappeError("INVALID_ARGUMENT", "mysqlUrl: names the database to look at");
  const source = await createMysqlArchiveSource({ ...options, maxConnections: 1 });
  try {
    const days = await source.days();
    const head = ["day", "step", "messages", "bytes", "recopies", "copied", "archived"];
    print(textTable([head, ...days.map(rowOf)]));
    const done = days.filter(({ step }) => step === "archived");
    const messages = done.reduce((sum, day) => sum + day.messages, 0);
    const windows = `the newest ${config.archiveAfterDays} days stay in MySQL, the grace is ${config.archiveGraceMs} ms`;
    print(`${done.length} of ${days.length} days archived, ${messages} messages; ${windows}`);
  } finally {
    await source.close();
  }
}

/** Makes the table of the history, unless it is there. */
async function createTable(config: Config, regions: number, print: (text: string) => void): Promise<void> {
  const [zookeeper] = config.hbaseZookeeper;
  if (zookeeper === undefined)
    throw new ChappeError("INVALID_ARGUMENT", "hbaseZookeeper: names the HBase to make it in");
  await createHbaseTables(zookeeper, [historyTable(config.hbaseTable, regions)]);
  print(`table ${config.hbaseTable} is there`);
}

/** `chappe archive ...`. Settings come as they do for serve. */
export async function runArchiveCommand(
  [command = "", ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  print: (text: string) => void,
): Promise<void> {
  const at = args.indexOf("--regions");
  const regions = at === -1 ? defaultRegions : Number(args[at + 1]);
  const config = readConfig(
    args.filter((_, index) => at === -1 || (index !== at && index !== at + 1)),
    env,
  );
  if (command === "status" && at === -1) return showStatus(config, print);
  if (command === "create-table" && regions >= 1 && regions <= maxRegions) return createTable(config, regions, print);
  throw new ChappeError("INVALID_ARGUMENT", `archive ${command} ${args.join(" ")}: not understood\n${usage}`);
}
