/**
 * An archiver for tests to kill: `archiver-child.ts <settings as JSON>`. It says every call that it makes, and waits
 * before the one that the settings name, to be killed or to go on with the next byte of its input.
 */
import { once } from "node:events";
import { writeSync } from "node:fs";
import { createHbaseHistory } from "@chappe/mesh/engines/hbase-history/create-hbase-history.ts";
import type { MysqlOptions } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { createMysqlArchiveSource } from "@chappe/mesh/engines/mysql-archive-source/create-mysql-archive-source.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { ArchiveLead, ArchiveSource } from "@chappe/mesh/ports/archive-source.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import { createArchiver } from "@chappe/services/archiver/archiver.ts";

/** What the child is told. */
export interface ArchiverChildSettings {
  readonly mysql: MysqlOptions;
  readonly zookeeper: string;
  readonly table: string;
  readonly afterDays: number;
  readonly graceMs: number;
  /** Stops before the n-th of this call, from 1 on; "after-drop" = before the first call after a drop. */
  readonly stopAt?: { readonly call: string; readonly nth: number };
}

const maxLifeMs = 230_000;
const { mysql, zookeeper, table, stopAt, ...windows } = JSON.parse(process.argv[2]!) as ArchiverChildSettings;
const counts = new Map<string, number>();
let [dropped, stopped] = [false, false];

/** Says a call; one that is to be the last never goes on. */
async function reach(call: string): Promise<void> {
  const nth = (counts.get(call) ?? 0) + 1;
  counts.set(call, nth);
  writeSync(1, `${call}\n`);
  const isNext = stopAt?.call === "after-drop" ? dropped : stopAt?.call === call && stopAt.nth === nth;
  if (stopped || !isNext) return;
  stopped = true;
  writeSync(1, "stopped\n");
  await once(process.stdin, "data");
}

function watched(lead: ArchiveLead): ArchiveLead {
  return {
    closedDays: (...args) => lead.closedDays(...args),
    async readPage(...args) {
      await reach("read");
      return lead.readPage(...args);
    },
    async save(day) {
      await reach(`save-${day.step}`);
      return lead.save(day);
    },
    lateMark: () => lead.lateMark(),
    async drop(...args) {
      await reach("drop");
      dropped = await lead.drop(...args);
      writeSync(1, `dropped ${dropped}\n`);
      return dropped;
    },
  };
}

setTimeout(() => process.exit(3), maxLifeMs).unref();
const source = await createMysqlArchiveSource(mysql);
const history = createHbaseHistory({ zookeeper: [zookeeper], table, timeoutMs: 2_000 });
const watchedSource: ArchiveSource = {
  lead: (work) => source.lead((lead) => work(watched(lead))),
  days: () => source.days(),
  close: () => source.close(),
};
const watchedHistory: MessageHistory = {
  async put(runs) {
    await reach("put");
    return history.put(runs);
  },
  async readRange(...wanted) {
    await reach("verify");
    return history.readRange(...wanted);
  },
  close: () => history.close(),
};
const archiver = createArchiver({
  source: watchedSource,
  history: watchedHistory,
  logger: silentLogger,
  checkMs: 100,
  ...windows,
});
let said = "";
setInterval(() => {
  const { state, archivedDays, recopies, failures, lastFailure } = archiver.stats();
  const now = `state ${state} ${archivedDays} ${recopies}${state === "paused" ? ` ${failures} ${lastFailure}` : ""}`;
  if (now !== said) writeSync(1, `${now}\n`);
  said = now;
}, 20);
