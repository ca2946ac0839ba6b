import { join } from "node:path";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { lockDirectory } from "@chappe/mesh/engines/embedded-log/lock-directory.ts";
import { createHbaseHistory } from "@chappe/mesh/engines/hbase-history/create-hbase-history.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import { createMysqlArchiveSource } from "@chappe/mesh/engines/mysql-archive-source/create-mysql-archive-source.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { ArchiveSource } from "@chappe/mesh/ports/archive-source.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import { type Config, coreRolesOf } from "./config.ts";
import { kafkaSettings } from "./kafka-settings.ts";
import { openHotWindow } from "./open-hot-window.ts";
import { mysqlOptionsOf, openStores } from "./open-stores.ts";

/** What the modules stand on. */
export interface Engines {
  readonly log: Log;
  readonly store: MessageStore;
  readonly window: HotWindow | undefined;
  readonly business: BusinessStore;
  /** Messages of old days; undefined = the store has every day. */
  readonly history?: MessageHistory;
  /** What the archiver of this process moves to the history; undefined = there is none. */
  readonly archive?: ArchiveSource;
  readonly presence: Presence;
  readonly directory: Directory;
  close(): Promise<void>;
}

/** The log that the settings name: Kafka, or the journal of the data directory. */
function openLog(config: Config, logger: Logger, onFailed: (error: ChappeError) => void): Promise<Log> {
  if (config.kafkaBrokers.length > 0) {
    const report = (what: string, fields: Readonly<Record<string, unknown>>) => logger.warn(`kafka.${what}`, fields);
    return createKafkaLog({ ...kafkaSettings(config), onFailed, report });
  }
  return createEmbeddedLog({
    directory: join(config.dataDirectory, "log"),
    minFreeBytes: config.minFreeBytes,
    onFailed,
    report: ({ kind, ...fields }) => logger.warn(`log.${kind}`, fields),
  });
}

/** Old days on HBase and, for an archiver, the way there, if the settings name an HBase. */
async function openHistory(
  config: Config,
  keep: <T extends { close(): Promise<void> }>(engine: T) => T,
): Promise<Pick<Engines, "history" | "archive">> {
  const { hbaseZookeeper: zookeeper, hbaseZnode: znode, hbaseTable: table } = config;
  const mysql = mysqlOptionsOf(config);
  if (zookeeper.length === 0 || mysql === undefined) return {};
  const history = keep(createHbaseHistory({ zookeeper, znode, table }));
  if (!coreRolesOf(config).has("archiver")) return { history };
  return { history, archive: keep(await createMysqlArchiveSource(mysql)) };
}

/** Whether nothing is kept in the data directory. */
export const needsNoData = ({ kafkaBrokers, mysqlUrl }: Config): boolean =>
  kafkaBrokers.length > 0 && mysqlUrl !== undefined;

/**
 * Opens the engines that the settings name: Kafka and MySQL, or the embedded ones of a data directory, which belongs to
 * this process until `close`. Presence and directory
 * are this process's own unless they are given, and then stay the caller's to close.
 */
export async function openEngines(
  config: Config,
  logger: Logger,
  onFailed: (error: ChappeError) => void,
  shared?: Pick<Engines, "presence" | "directory">,
): Promise<Engines> {
  const { dataDirectory } = config;
  const lock = needsNoData(config) ? undefined : lockDirectory(dataDirectory);
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(engine: T): T => {
    opened.unshift(engine);
    return engine;
  };
  const close = async (): Promise<void> => {
    for (const engine of opened) await engine.close();
    lock?.release();
  };
  try {
    const stores = await openStores(config, logger, onFailed);
    const store = keep(stores.store);
    const business = keep(stores.business);
    const hotWindow = await openHotWindow(config, business);
    const window = hotWindow && keep(hotWindow);
    const log = keep(await openLog(config, logger, onFailed));
    const old = await openHistory(config, keep);
    const presence = shared?.presence ?? keep(createMemoryPresence());
    const directory = shared?.directory ?? keep(createMemoryDirectory());
    return { log, store, window, business, ...old, presence, directory, close };
  } catch (error) {
    await close();
    throw error;
  }
}
