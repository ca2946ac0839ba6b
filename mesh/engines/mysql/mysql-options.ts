import { ChappeError } from "../../errors/chappe-error.ts";

const defaultPort = 3306;

/** How to reach a MySQL 8 or MariaDB server. */
export interface MysqlOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Must exist; `chappe migrate` makes the tables. */
  readonly database: string;
  /** @default limits.maxMysqlConnections */
  readonly maxConnections?: number;
  /** Of one statement. @default limits.mysqlStatementTimeoutMs */
  readonly statementTimeoutMs?: number;
  /** The server ends a session, and its transaction, that is silent for so long. @default limits.mysqlSessionIdleMs */
  readonly sessionIdleMs?: number;
}

function refuse(message: string, cause?: unknown): never {
  const violations = [{ field: "mysqlUrl", rule: "url", message }];
  throw new ChappeError("INVALID_ARGUMENT", `mysqlUrl: ${message}`, { violations, cause });
}

/**
 * Options from "mysql://user:password@host:port/database", parts percent-encoded where they must be; `password` is
 * that of a URL without one. INVALID_ARGUMENT says what is missing and never shows the password.
 */
export function parseMysqlUrl(text: string, password?: string): MysqlOptions {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refuse("must look like mysql://user@host:3306/database");
  }
  if (url.protocol !== "mysql:") refuse("must begin with mysql://");
  if (url.hostname === "") refuse("names no host");
  if (url.username === "") refuse("names no user");
  const database = decodeURIComponent(url.pathname.slice(1));
  if (!/^[\w$-]{1,64}$/.test(database)) refuse("must end with /database: letters, digits, _, $ and - only");
  return {
    // An IPv6 address stands in brackets.
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? defaultPort : Number(url.port),
    user: decodeURIComponent(url.username),
    password: url.password === "" ? (password ?? "") : decodeURIComponent(url.password),
    database,
  };
}
