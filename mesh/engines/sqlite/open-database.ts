import { DatabaseSync } from "node:sqlite";
import { ChappeError } from "../../errors/chappe-error.ts";

/** How a database is opened. */
export interface OpenDatabaseOptions {
  readonly file: string;
  readonly pageBytes: number;
  /** "normal": the last transactions may vanish whole when the power fails; "full": none does. */
  readonly synchronous: "normal" | "full";
  readonly cacheKib: number;
  readonly autoCheckpointPages: number;
  readonly schemaVersion: number;
  /** Runs once, when the database is new. */
  readonly schema: string;
  /** What brings a database of an older version one version further, by that older version. */
  readonly upgrades?: Readonly<Record<number, string>>;
}

/** Brings the database as far as there are upgrades; answers its version then. */
function upgrade(database: DatabaseSync, from: number, upgrades: OpenDatabaseOptions["upgrades"] = {}): number {
  let version = from;
  for (let step = upgrades[version]; step !== undefined; step = upgrades[version]) {
    database.exec(`BEGIN; ${step}; PRAGMA user_version = ${version + 1}; COMMIT;`);
    version++;
  }
  return version;
}

/** Opens a database in WAL mode and makes its schema. UNAVAILABLE when it was made by another version. */
export function openDatabase(options: OpenDatabaseOptions): DatabaseSync {
  const database = new DatabaseSync(options.file);
  database.exec(`PRAGMA page_size = ${options.pageBytes};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = ${options.synchronous};
    PRAGMA cache_size = -${options.cacheKib};
    PRAGMA wal_autocheckpoint = ${options.autoCheckpointPages};
    PRAGMA temp_store = memory;`);
  const { user_version: made } = database.prepare("PRAGMA user_version").get() as { user_version: number };
  if (made === 0) {
    database.exec(`BEGIN; ${options.schema}; PRAGMA user_version = ${options.schemaVersion}; COMMIT;`);
    return database;
  }
  const version = upgrade(database, made, options.upgrades);
  if (version !== options.schemaVersion) {
    database.close();
    const text = `${options.file} has schema version ${version}; this build reads version ${options.schemaVersion}`;
    throw new ChappeError("UNAVAILABLE", text);
  }
  return database;
}

/** Runs `work` in one transaction; rolls back and rethrows when it throws. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
