import { readFileSync } from "node:fs";
import { type MysqlOptions, parseMysqlUrl } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { createMysqlBusinessStore } from "@chappe/mesh/engines/mysql-business-store/create-mysql-business-store.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { createSqliteBusinessStore } from "@chappe/mesh/engines/sqlite-business-store/create-sqlite-business-store.ts";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { Config } from "./config.ts";

/** Messages and business data, each with an end of its own. */
interface Stores {
  readonly store: MessageStore;
  readonly business: BusinessStore;
}

/** What the settings say of MySQL; undefined = SQLite. INVALID_ARGUMENT names the setting that is wrong. */
export function mysqlOptionsOf({ mysqlUrl, mysqlPasswordFile }: Config): MysqlOptions | undefined {
  if (mysqlUrl === undefined) return undefined;
  if (mysqlPasswordFile === undefined) return parseMysqlUrl(mysqlUrl);
  try {
    return parseMysqlUrl(mysqlUrl, readFileSync(mysqlPasswordFile, "utf8").trimEnd());
  } catch (cause) {
    if (ChappeError.is(cause, "INVALID_ARGUMENT")) throw cause;
    const violations = [{ field: "mysqlPasswordFile", rule: "file", message: "cannot be read" }];
    throw new ChappeError("INVALID_ARGUMENT", `mysqlPasswordFile: ${mysqlPasswordFile} cannot be read`, {
      violations,
      cause,
    });
  }
}

async function openMysqlStores(options: MysqlOptions, logger: Logger): Promise<Stores> {
  const onWarning = (error: ChappeError): void => logger.warn("mysql.days-ahead", { error });
  const store = await createMysqlMessageStore({ ...options, onWarning });
  const business = await createMysqlBusinessStore(options).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  return { store, business };
}

/** Opens the stores that the settings name. */
export async function openStores(
  config: Config,
  logger: Logger,
  onFailed: (error: ChappeError) => void,
): Promise<Stores> {
  const mysql = mysqlOptionsOf(config);
  if (mysql !== undefined) return openMysqlStores(mysql, logger);
  const { dataDirectory: directory, flushIntervalMs } = config;
  const store = await createSqliteMessageStore({ directory, onFailed, flushIntervalMs });
  const business = await createSqliteBusinessStore({ directory, onFailed }).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  return { store, business };
}
