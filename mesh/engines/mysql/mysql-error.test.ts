import { expect, test } from "vitest";
import { ChappeError } from "../../errors/chappe-error.ts";
import { isConnectionLost, mysqlError } from "./mysql-error.ts";

const driver = (errno: number, code: string, message = "x") => Object.assign(new Error(message), { errno, code });

test.each([
  ["the table is full", driver(1114, "ER_RECORD_FILE_FULL"), "DISK_FULL"],
  ["no space", driver(1030, "ER_GET_ERRNO", "Got error 28 'No space left on device' from storage engine"), "DISK_FULL"],
  ["another storage error", driver(1030, "ER_GET_ERRNO", "Got error 168 from storage engine"), "INTERNAL"],
  ["an answer that does not come", driver(0, "PROTOCOL_SEQUENCE_TIMEOUT"), "DEADLINE_EXCEEDED"],
  ["a connection that broke", driver(0, "ECONNRESET"), "UNAVAILABLE"],
  ["a server that goes down", driver(1053, "ER_SERVER_SHUTDOWN"), "UNAVAILABLE"],
  ["a server that only reads", driver(1290, "ER_OPTION_PREVENTS_STATEMENT"), "UNAVAILABLE"],
  ["a deadlock too many", driver(1213, "ER_LOCK_DEADLOCK"), "UNAVAILABLE"],
  ["a queue that is full", new Error("Queue limit reached."), "OVERLOADED"],
  ["a pool that is closed", new Error("Pool is closed."), "UNAVAILABLE"],
  ["a statement that is wrong", driver(1064, "ER_PARSE_ERROR"), "INTERNAL"],
])("%s", (_what, error, name) => {
  expect(mysqlError(error).row.name).toBe(name);
  expect(mysqlError(error).cause).toBe(error);
});

test("our own errors stay", () => {
  const error = new ChappeError("STALE_OWNER");
  expect(mysqlError(error)).toBe(error);
});

test("only what ends a connection counts as that", () => {
  expect(isConnectionLost(driver(0, "PROTOCOL_CONNECTION_LOST"))).toBe(true);
  expect(isConnectionLost(driver(1062, "ER_DUP_ENTRY"))).toBe(false);
});
