import { Worker } from "node:worker_threads";
import type { ErrorName } from "@chappe/gen/errors.ts";
import { ChappeError } from "../../errors/chappe-error.ts";

/** One request to the worker. */
export interface WorkerRequest {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** The worker's answer; `error` names a row of the registry. */
export interface WorkerResponse {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly name: ErrorName; readonly message: string };
}

/** A database in a worker thread, called by method name; calls are served in order. */
export interface WorkerHost {
  call<T>(method: string, args: readonly unknown[], transfer?: readonly ArrayBuffer[]): Promise<T>;
  /** Ends the worker; calls without an answer reject with UNAVAILABLE. */
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: ChappeError) => void;
}

/** Calls without an answer yet; over it `call` rejects with OVERLOADED. */
const maxWaitingCalls = 10_000;

/** Starts the worker and waits until its database is open; rejects with what the worker says when it cannot open. */
export async function createWorkerHost(
  url: URL,
  workerData: unknown,
  onFailed: (error: ChappeError) => void = () => {},
): Promise<WorkerHost> {
  const worker = new Worker(url, { workerData });
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let ended: ChappeError | undefined;

  const end = (error: ChappeError): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on("message", ({ id, value, error }: WorkerResponse) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new ChappeError(error.name, error.message));
  });
  worker.on("error", (cause) => {
    const error = new ChappeError("INTERNAL", "the database worker failed", { cause });
    if (ended === undefined) onFailed(error);
    end(error);
  });
  worker.on("exit", () => end(new ChappeError("UNAVAILABLE", "the database is closed")));

  const host: WorkerHost = {
    call<T>(method: string, args: readonly unknown[], transfer: readonly ArrayBuffer[] = []): Promise<T> {
      if (ended !== undefined) return Promise.reject(ended);
      if (waiting.size >= maxWaitingCalls) return Promise.reject(new ChappeError("OVERLOADED"));
      const id = nextId++;
      return new Promise<T>((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        worker.postMessage({ id, method, args } satisfies WorkerRequest, [...transfer]);
      });
    },
    async close() {
      if (ended !== undefined) return;
      await host.call("close", []).catch(() => undefined);
      ended ??= new ChappeError("UNAVAILABLE", "the database is closed");
      await worker.terminate();
    },
  };
  try {
    await host.call("open", []);
  } catch (error) {
    await worker.terminate();
    throw error;
  }
  return host;
}
