import { errorRegistry } from "@chappe/gen/errors.ts";
import { limits } from "../limits.ts";
import type { HotWindow, RangeBounds } from "../ports/hot-window.ts";
import type { MessageRun } from "../ports/message-store.ts";
import { engineCalls } from "../telemetry/engine-calls.ts";
import { type Hops, noHops } from "../telemetry/hops.ts";

/** Figures of a guard. */
export interface WindowStats {
  /** Calls that the window answered, and that it did not. */
  readonly answeredCalls: number;
  readonly failedCalls: number;
  /** Runs that were not offered to it, because it had failed just now or too much was on its way. */
  readonly droppedRuns: number;
  /** Reads that did not ask it, because it had failed just now. */
  readonly skippedReads: number;
}

/**
 * A hot window whose failures nobody waits for. After one it is left alone for a pause, which doubles while the call that
 * ends it fails too.
 */
export interface WindowGuard {
  /** Hands the runs over and returns. They are dropped when the window fails; it starts anew with the next ones then. */
  append(runs: readonly MessageRun[]): void;
  /** As HotWindow.readRange; nothing when the window fails. Never rejects. */
  readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    bounds: RangeBounds,
  ): Promise<readonly MessageRun[]>;
  stats(): WindowStats;
}

/** What a guard may be given. */
export interface WindowGuardOptions {
  /** Monotonic milliseconds. @default performance.now */
  readonly now?: () => number;
  /** Told of the messages that pass. @default nobody */
  readonly hops?: Hops;
}

/** Opens after a failure; then one call at a time tries whether the pause is over. */
class Breaker {
  readonly #now: () => number;
  #pauseMs = 0;
  #pausedUntilMs = 0;
  #trying = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether a call may be made; one that may must be followed by `done`. */
  allows(): boolean {
    if (this.#pauseMs === 0) return true;
    if (this.#trying || this.#now() < this.#pausedUntilMs) return false;
    this.#trying = true;
    return true;
  }

  done(ok: boolean): void {
    this.#trying = false;
    // Calls made before the first failure fail together; they are one reason to pause.
    if (!ok && this.#now() < this.#pausedUntilMs) return;
    this.#pauseMs = ok ? 0 : Math.min(limits.maxWindowPauseMs, this.#pauseMs * 2 || limits.windowPauseMs);
    this.#pausedUntilMs = ok ? 0 : this.#now() + this.#pauseMs;
  }
}

class BreakerGuard implements WindowGuard {
  readonly #window: HotWindow;
  readonly #breaker: Breaker;
  readonly #hops: Hops;
  #appends = 0;
  #appendBytes = 0;
  #answeredCalls = 0;
  #failedCalls = 0;
  #droppedRuns = 0;
  #skippedReads = 0;

  constructor(window: HotWindow, { now = () => performance.now(), hops = noHops }: WindowGuardOptions) {
    this.#window = window;
    this.#hops = hops;
    this.#breaker = new Breaker(now);
  }

  append(runs: readonly MessageRun[]): void {
    if (runs.length === 0) return;
    const bytes = runs.reduce((sum, run) => sum + run.bytes.length, 0);
    const isFull =
      this.#appends >= limits.maxWindowAppends ||
      (this.#appends > 0 && this.#appendBytes + bytes > limits.maxWindowAppendBytes);
    if (isFull || !this.#breaker.allows()) {
      this.#droppedRuns += runs.length;
      return;
    }
    this.#appends++;
    this.#appendBytes += bytes;
    const startMs = this.#hops.now();
    void this.#ask(() => this.#window.append(runs)).then((answer) => {
      const error = answer === undefined ? errorRegistry.UNAVAILABLE.number : 0;
      this.#hops.called(engineCalls.appendWindow, runs, startMs, error);
      if (answer === undefined) this.#droppedRuns += runs.length;
      this.#appends--;
      this.#appendBytes -= bytes;
    });
  }

  async readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    bounds: RangeBounds,
  ): Promise<readonly MessageRun[]> {
    if (!this.#breaker.allows()) {
      this.#skippedReads++;
      return [];
    }
    const answer = await this.#ask(() => this.#window.readRange(conversationId, fromSeq, toSeq, bounds));
    return answer?.value ?? [];
  }

  stats(): WindowStats {
    return {
      answeredCalls: this.#answeredCalls,
      failedCalls: this.#failedCalls,
      droppedRuns: this.#droppedRuns,
      skippedReads: this.#skippedReads,
    };
  }

  /** The answer, undefined when the window failed. */
  async #ask<T>(call: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    try {
      const value = await call();
      this.#answeredCalls++;
      this.#breaker.done(true);
      return { value };
    } catch {
      this.#failedCalls++;
      this.#breaker.done(false);
      return undefined;
    }
  }
}

/** A guard on a window, which stays the caller's to close. */
export function createWindowGuard(window: HotWindow, options: WindowGuardOptions = {}): WindowGuard {
  return new BreakerGuard(window, options);
}
