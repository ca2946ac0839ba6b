import type { ErrorName } from "@chappe/gen/errors.ts";
import { ChappeError } from "../../errors/chappe-error.ts";
import type { MysqlOptions } from "./mysql-options.ts";

/** What mysql2 throws, as far as it is looked at. */
interface DriverError extends Error {
  readonly code?: string;
  readonly errno?: number;
}

/** Server error numbers, the same on MySQL and MariaDB. */
const duplicateEntry = 1062;
const duplicateColumn = 1060;
const noSuchTable = 1146;
const deadlock = 1213;
const lockWaitTimeout = 1205;
const wrongCredentials: ReadonlySet<number> = new Set([1045, 1698, 1251, 2061]);
const noDatabase: ReadonlySet<number> = new Set([1044, 1049]);
const diskFull: ReadonlySet<number> = new Set([1021, 1026, 1114, 3]);
/** "Got error N from storage engine" and "Error writing file"; ENOSPC is 28. */
const storageErrors: ReadonlySet<number> = new Set([1030, 1180]);
/** Shutting down, killed, too many connections, read-only, server gone. */
const unavailable: ReadonlySet<number> = new Set([
  1040,
  1053,
  1077,
  1079,
  1080,
  1129,
  1152,
  1158,
  1159,
  1160,
  1161,
  1184,
  1203,
  1226,
  1290,
  1317,
  1836,
  1927,
  4031,
  deadlock,
  lockWaitTimeout,
]);
const connectionCodes = /^(?:PROTOCOL_|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST|ENET|EADDRNOTAVAIL|ERR_STREAM)/;

const errnoOf = (error: unknown): number => (error as DriverError | undefined)?.errno ?? 0;

/** Whether a unique key refused the statement. */
export const isDuplicate = (error: unknown): boolean => errnoOf(error) === duplicateEntry;

/** Whether the statement adds a column that is there. */
export const isDuplicateColumn = (error: unknown): boolean => errnoOf(error) === duplicateColumn;

/** Whether the statement named a table that is not there. */
export const isNoSuchTable = (error: unknown): boolean => errnoOf(error) === noSuchTable;

/** Whether the transaction lost a deadlock: it is rolled back, and may be tried again. */
export const isDeadlock = (error: unknown): boolean => errnoOf(error) === deadlock;

/** Whether the connection is of no more use. */
export function isConnectionLost(error: unknown): boolean {
  const { code = "", message } = error as DriverError;
  const ended = errnoOf(error) === 1927 || errnoOf(error) === 4031 || errnoOf(error) === 1053;
  return ended || connectionCodes.test(code) || /closed state|connection (?:is )?closed/i.test(message);
}

function nameOf(error: DriverError): ErrorName {
  const { code = "", errno = 0, message } = error;
  if (code === "PROTOCOL_SEQUENCE_TIMEOUT") return "DEADLINE_EXCEEDED";
  if (diskFull.has(errno) || (storageErrors.has(errno) && /\b28\b|no space/i.test(message))) return "DISK_FULL";
  if (unavailable.has(errno) || isConnectionLost(error)) return "UNAVAILABLE";
  if (message === "Queue limit reached.") return "OVERLOADED";
  if (message === "Pool is closed.") return "UNAVAILABLE";
  return "INTERNAL";
}

/** What a statement threw, as a ChappeError: UNAVAILABLE, DISK_FULL, DEADLINE_EXCEEDED, OVERLOADED, else INTERNAL. */
export function mysqlError(cause: unknown): ChappeError {
  if (cause instanceof ChappeError) return cause;
  const name = nameOf(cause as DriverError);
  if (name === "INTERNAL") return new ChappeError(name, "the database refused a statement", { cause });
  if (name === "UNAVAILABLE") return new ChappeError(name, "the database does not answer", { cause });
  return new ChappeError(name, undefined, { cause });
}

/** What opening a connection threw, in words that say what to do. The password is never shown. */
export function connectError(cause: unknown, options: MysqlOptions): ChappeError {
  const { host, port, user, database } = options;
  const where = `MySQL at ${host}:${port}`;
  const { code = "", errno = 0 } = cause as DriverError;
  const refuse = (message: string): ChappeError => {
    const violations = [{ field: "mysqlUrl", rule: "connect", message }];
    return new ChappeError("INVALID_ARGUMENT", message, { cause, violations });
  };
  if (wrongCredentials.has(errno))
    return refuse(`${where} refuses user ${user}: check the user name and the password of mysqlUrl`);
  if (noDatabase.has(errno)) {
    const make = `CREATE DATABASE ${database} CHARACTER SET utf8mb4`;
    return refuse(
      `${where} has no database ${database} for user ${user}: check mysqlUrl, or run "${make}" and grant it`,
    );
  }
  if (connectionCodes.test(code)) {
    const text = `${where} does not answer (${code}): check host and port of mysqlUrl and that the server runs`;
    return new ChappeError("UNAVAILABLE", text, { cause });
  }
  return mysqlError(cause);
}
