import { setTimeout as delay } from "node:timers/promises";
import { ChappeError } from "../errors/chappe-error.ts";
import type { EngineProcess } from "./engine-process.ts";

const pollMs = 100;

/** What to wait for. */
export interface HealthWait {
  /** What starts, for messages. */
  readonly what: string;
  /** Must run meanwhile. */
  readonly process: EngineProcess;
  /** Resolves when the engine answers as it should; called again and again, one at a time. */
  readonly check: () => Promise<void>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** One check, given up when the engine ends or the time is over; answers why it failed, undefined if it did not. */
async function tryCheck({ process, check }: HealthWait, leftMs: number): Promise<string | undefined> {
  const timer = Promise.withResolvers<string>();
  const timeout = setTimeout(() => timer.resolve("no answer"), Math.max(leftMs, 0));
  try {
    return await Promise.race([check().then(() => undefined, textOf), process.exited, timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

/** Waits until an engine is healthy. UNAVAILABLE with the end of its log when it ends first or takes too long. */
export async function waitUntilHealthy(wait: HealthWait): Promise<void> {
  const { what, process, timeoutMs, signal } = wait;
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const failure = await tryCheck(wait, deadlineMs - performance.now());
    if (failure === undefined) return;
    const ended = process.ended();
    const text =
      ended === undefined ? `was not ready after ${timeoutMs} ms: ${failure}` : `ended (${ended}) before it was ready`;
    if (ended !== undefined || performance.now() >= deadlineMs)
      throw new ChappeError("UNAVAILABLE", `${what} ${text}\n${process.logTail()}`);
    await delay(pollMs, undefined, signal === undefined ? {} : { signal });
  }
}
