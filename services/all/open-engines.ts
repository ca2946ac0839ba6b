import { join } from "node:path";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { lockDirectory } from "@chappe/mesh/engines/embedded-log/lock-directory.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import type { Config } from "./config.ts";
import { openStores } from "./open-stores.ts";

/** What the modules stand on. */
export interface Engines {
  readonly log: Log;
  readonly store: MessageStore;
  readonly business: BusinessStore;
  readonly presence: Presence;
  readonly directory: Directory;
  close(): Promise<void>;
}

/**
 * Opens the embedded engines of a data directory, which belongs to this process until `close`; the stores are MySQL's
 * when the settings name one. Presence and directory
 * are this process's own unless they are given, and then stay the caller's to close.
 */
export async function openEngines(
  config: Config,
  logger: Logger,
  onFailed: (error: ChappeError) => void,
  shared?: Pick<Engines, "presence" | "directory">,
): Promise<Engines> {
  const { dataDirectory } = config;
  const lock = lockDirectory(dataDirectory);
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(engine: T): T => {
    opened.unshift(engine);
    return engine;
  };
  const close = async (): Promise<void> => {
    for (const engine of opened) await engine.close();
    lock.release();
  };
  try {
    const stores = await openStores(config, logger, onFailed);
    const store = keep(stores.store);
    const business = keep(stores.business);
    const log = keep(
      await createEmbeddedLog({
        directory: join(dataDirectory, "log"),
        minFreeBytes: config.minFreeBytes,
        onFailed,
        report: ({ kind, ...fields }) => logger.warn(`log.${kind}`, fields),
      }),
    );
    const presence = shared?.presence ?? keep(createMemoryPresence());
    const directory = shared?.directory ?? keep(createMemoryDirectory());
    return { log, store, business, presence, directory, close };
  } catch (error) {
    await close();
    throw error;
  }
}
