import { readFileSync } from "node:fs";
import { type Migrated, migrate } from "@chappe/mesh/engines/mysql/migrate.ts";
import { parseMysqlUrl } from "@chappe/mesh/engines/mysql/mysql-options.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";

const urlFlag = "--mysql-url";
const urlVariable = "CHAPPE_MYSQL_URL";
const passwordVariable = "CHAPPE_MYSQL_PASSWORD_FILE";

function readUrl(args: readonly string[], env: Readonly<Record<string, string | undefined>>): string {
  const [flag, value, ...rest] = args;
  if (flag !== undefined && (flag !== urlFlag || value === undefined || rest.length > 0))
    throw new ChappeError("INVALID_ARGUMENT", `usage: migrate [${urlFlag} mysql://user@host:3306/database]`);
  const url = value ?? env[urlVariable];
  if (url !== undefined) return url;
  throw new ChappeError(
    "INVALID_ARGUMENT",
    `which database? Give ${urlFlag} or ${urlVariable}: mysql://user@host:3306/db`,
  );
}

function readPassword(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new ChappeError("INVALID_ARGUMENT", `${passwordVariable}: ${path} cannot be read`, { cause });
  }
}

/**
 * The sub command `migrate`: brings the schema of a database to this build's version. The password is in the file that
 * CHAPPE_MYSQL_PASSWORD_FILE names, or in the URL.
 */
export function migrateDatabase(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Migrated> {
  return migrate(parseMysqlUrl(readUrl(args, env), readPassword(env[passwordVariable])));
}
