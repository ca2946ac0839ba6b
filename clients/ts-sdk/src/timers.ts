import { ChappeClientError } from "./client-error.ts";

/** Stops something. Harmless when called again. */
export type Stop = () => void;

/** Calls back once. In Node the timer does not keep the process alive, unless `keepAlive`. */
export function startTimer(ms: number, callback: () => void, keepAlive = false): Stop {
  const timer = setTimeout(callback, ms);
  if (!keepAlive) (timer as { unref?: () => void }).unref?.();
  return () => clearTimeout(timer);
}

/** Waits. Settles early, without an error, when the signal aborts. */
export function pause(ms: number, signal: AbortSignal, keepAlive = false): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const stop = startTimer(ms, done, keepAlive);
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Full jitter: anywhere between 0 and min(max, base * 2^attempt). */
export function fullJitterMs(attempt: number, baseMs: number, maxMs: number, random: () => number): number {
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** The promise, or CANCELLED as soon as the signal aborts. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(cancelled(signal));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** CANCELLED, with the signal's reason as cause. */
export function cancelled(signal: AbortSignal): ChappeClientError {
  return signal.reason instanceof ChappeClientError
    ? signal.reason
    : new ChappeClientError("CANCELLED", undefined, { cause: signal.reason });
}
