import { parentPort } from "node:worker_threads";
import type { ErrorName } from "@chappe/gen/errors.ts";
import { ChappeError } from "../../errors/chappe-error.ts";
import type { WorkerRequest, WorkerResponse } from "./worker-host.ts";

/** Methods of a database, by name. */
export type WorkerMethods = Readonly<Record<string, (...args: never[]) => unknown>>;

const sqliteFull = 13;
const sqliteIoErrorWrite = 778;

/** The registry name of what a database call threw. */
function errorName(error: unknown): ErrorName {
  if (error instanceof ChappeError) return error.row.name as ErrorName;
  const code = (error as { errcode?: number }).errcode ?? 0;
  if (code === sqliteFull || code === sqliteIoErrorWrite) return "DISK_FULL";
  return "INTERNAL";
}

/**
 * Serves requests of a WorkerHost one after the other. `open` makes the methods with the first request, so that a
 * database that cannot be opened is an answer and not a crash.
 */
export function serveWorker(open: () => WorkerMethods): void {
  const port = parentPort;
  if (port === null) throw new Error("not a worker thread");
  let methods: WorkerMethods | undefined;
  port.on("message", ({ id, method, args }: WorkerRequest) => {
    let response: WorkerResponse;
    try {
      if (method === "open") methods = open();
      const value = method === "open" ? undefined : methods![method]!(...(args as never[]));
      response = { id, value };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      response = { id, error: { name: errorName(error), message } };
    }
    port.postMessage(response);
  });
}
