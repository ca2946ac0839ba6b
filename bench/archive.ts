/**
 * `node bench/archive.ts [--sqlite] [--json]`: a closed day of 200,000 messages from a MariaDB of our own to an HBase of
 * our own, or to SQLite: copied, read back and dropped. A busy day (200 conversations) and a sparse one (20,000).
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startHbase } from "@chappe/mesh/dev-engines/start-hbase.ts";
import { startMariadb } from "@chappe/mesh/dev-engines/start-mariadb.ts";
import { createHbaseHistory } from "@chappe/mesh/engines/hbase-history/create-hbase-history.ts";
import { historyTable } from "@chappe/mesh/engines/hbase-history/history-table.ts";
import { migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { createMysqlArchiveSource } from "@chappe/mesh/engines/mysql-archive-source/create-mysql-archive-source.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { createSqliteHistory } from "@chappe/mesh/engines/sqlite-history/create-sqlite-history.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { ArchiveSource } from "@chappe/mesh/ports/archive-source.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { createArchiver } from "@chappe/services/archiver/archiver.ts";
import { Committing, runOf } from "./support/store-kit.ts";

const messages = 200_000;
const contentBytes = 100;
const dayMs = 86_400_000;
/** Of each load: how many conversations, and messages of one run. */
const loads = { busy: { conversations: 200, run: 20 }, sparse: { conversations: 20_000, run: 2 } };
const runsPerCommit = 500;
/** Clock ticks a second of /proc; fixed on Linux. */
const ticksPerSecond = 100;

/** What a bench moves messages between, and the processes whose time it costs. */
interface World {
  readonly store: MessageStore;
  readonly source: ArchiveSource;
  readonly history: MessageHistory;
  readonly pids: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

async function openHistory(): Promise<Pick<World, "history" | "pids" | "close">> {
  if (process.argv.includes("--sqlite")) {
    const directory = mkdtempSync(join(tmpdir(), "chappe-archive-bench-"));
    const history = await createSqliteHistory({ directory });
    const close = async (): Promise<void> => {
      await history.close();
      rmSync(directory, { recursive: true });
    };
    return { history, pids: {}, close };
  }
  const hbase = await startHbase({ tables: [historyTable("bench", 8)] });
  const history = createHbaseHistory({ zookeeper: [hbase.zookeeper], table: "bench" });
  const close = async (): Promise<void> => {
    await history.close();
    await hbase.close();
  };
  return { history, pids: { hbase: hbase.pid }, close };
}

async function open(): Promise<World> {
  const mariadb = await startMariadb();
  await migrate(mariadb.login);
  const store = await createMysqlMessageStore(mariadb.login);
  const source = await createMysqlArchiveSource(mariadb.login);
  const { history, pids, close: closeHistory } = await openHistory();
  const close = async (): Promise<void> => {
    await closeHistory();
    for (const part of [source, store, mariadb]) await part.close();
  };
  return { store, source, history, pids: { mariadb: mariadb.pid, ...pids }, close };
}

/** CPU seconds of a process since it started. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Commits a load as messages of eight days ago. */
async function fill(writer: Committing, firstConversation: number, load: (typeof loads)["busy"]): Promise<void> {
  const { conversations, run } = load;
  const loggedFromMs = Date.now() - 8 * dayMs;
  let runs = [];
  for (let done = 0; done < messages; done += run) {
    const round = Math.floor(done / (run * conversations));
    const conversation = firstConversation + ((done / run) % conversations);
    runs.push(runOf(conversation, 1 + round * run, run, contentBytes, loggedFromMs));
    if (runs.length < runsPerCommit) continue;
    await writer.commit(runs);
    runs = [];
  }
  if (runs.length > 0) await writer.commit(runs);
}

async function measure({ source, history, pids }: World) {
  const cpu = () => Object.entries(pids).map(([name, pid]) => [name, cpuSecondsOf(pid)] as const);
  const [before, own, startMs] = [new Map(cpu()), process.cpuUsage(), performance.now()];
  const archiver = createArchiver({ source, history, logger: silentLogger, afterDays: 2, graceMs: 0, checkMs: 100 });
  let copiedMs = 0;
  while (archiver.stats().archivedDays === 0 || archiver.stats().verifiedMessages < messages) {
    if (copiedMs === 0 && archiver.stats().copiedMessages >= messages) copiedMs = performance.now() - startMs;
    if (archiver.stats().failures > 0) throw new Error(archiver.stats().lastFailure);
    await sleep(5);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(own);
  await archiver.close();
  const others = cpu().map(([name, used]) => [`${name}CpuUsPerMessage`, used - before.get(name)!] as const);
  return {
    messagesPerSecond: Math.round(messages / seconds),
    copiedPerSecond: Math.round((messages * 1_000) / copiedMs),
    ownCpuUsPerMessage: Math.round(((user + system) / messages) * 10) / 10,
    ...Object.fromEntries(others.map(([name, used]) => [name, Math.round((used * 1e7) / messages) / 10])),
  };
}

const figures: Record<string, Record<string, number>> = {};
for (const [name, load] of Object.entries(loads)) {
  const world = await open();
  try {
    const writer = new Committing(world.store);
    await writer.claim();
    await fill(writer, 1, load);
    figures[name] = await measure(world);
  } finally {
    await world.close();
  }
}
if (process.argv.includes("--json")) console.log(JSON.stringify({ scenario: "archive", messages, ...figures }));
else console.table(figures);
