import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Call } from "@chappe/mesh/rpc/call.ts";

/** Whether an error says that the backend is out of reach or does not answer. */
function isFailure(error: unknown, waitMs: number): boolean {
  if (ChappeError.is(error, "UNAVAILABLE")) return true;
  // A caller that names a deadline nobody can keep must not put a good backend out.
  return ChappeError.is(error, "DEADLINE_EXCEEDED") && waitMs >= limits.outlierMinWaitMs;
}

/** The health of one backend as its calls show it. */
export class Outlier {
  #failures = 0;
  #ejections = 0;
  #ejectedUntilMs = 0;

  isEjected(nowMs: number): boolean {
    const leftMs = this.#ejectedUntilMs - nowMs;
    // More than the longest time is left only when the clock was set back.
    return leftMs > 0 && leftMs <= limits.maxOutlierEjectMs;
  }

  onSuccess(): void {
    this.#failures = 0;
    this.#ejections = 0;
  }

  /**
   * Counts an error of a call; true = the backend has failed so often in a row that it should be left out. Another
   * error than being out of reach shows that the backend is there.
   */
  onError(error: unknown, call: Call, startedMs: number): boolean {
    if (isFailure(error, call.deadlineMs - startedMs)) return ++this.#failures >= limits.outlierFailures;
    if (!ChappeError.is(error, "CANCELLED") && !ChappeError.is(error, "DEADLINE_EXCEEDED")) this.#failures = 0;
    return false;
  }

  /** Leaves it out, each time longer. After that one failure is enough. */
  eject(nowMs: number): void {
    const forMs = Math.min(limits.maxOutlierEjectMs, limits.outlierEjectMs * 2 ** this.#ejections++);
    this.#ejectedUntilMs = nowMs + forMs;
    this.#failures = limits.outlierFailures - 1;
  }
}
