import { join } from "node:path";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { lockDirectory } from "@chappe/mesh/engines/embedded-log/lock-directory.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import type { Config } from "./config.ts";
import { openHotWindow } from "./open-hot-window.ts";
import { openStores } from "./open-stores.ts";

/** What the modules stand on. */
export interface Engines {
  readonly log: Log;
  readonly store: MessageStore;
  readonly window: HotWindow | undefined;
  readonly business: BusinessStore;
  readonly presence: Presence;
  readonly directory: Directory;
  close(): Promise<void>;
}

/** The log that the settings name: Kafka, or the journal of the data directory. */
function openLog(config: Config, logger: Logger, onFailed: (error: ChappeError) => void): Promise<Log> {
  const { kafkaBrokers: brokers, kafkaPartitions: partitions, kafkaPrefix: prefix } = config;
  if (brokers.length > 0) {
    const report = (what: string, fields: Readonly<Record<string, unknown>>) => logger.warn(`kafka.${what}`, fields);
    return createKafkaLog({ brokers, partitions, prefix, onFailed, report });
  }
  return createEmbeddedLog({
    directory: join(config.dataDirectory, "log"),
    minFreeBytes: config.minFreeBytes,
    onFailed,
    report: ({ kind, ...fields }) => logger.warn(`log.${kind}`, fields),
  });
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
    const presence = shared?.presence ?? keep(createMemoryPresence());
    const directory = shared?.directory ?? keep(createMemoryDirectory());
    return { log, store, window, business, presence, directory, close };
  } catch (error) {
    await close();
    throw error;
  }
}
