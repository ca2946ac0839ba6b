/** Collects work of a turn of the event loop; under load also of the turns that follow. */
export interface TurnPacer {
  /** `run` will be called once: at the end of this turn, or later when the last run was a busy one. */
  request(): void;
  /** Calls `run` now, if it is due at all. */
  runNow(): void;
}

/** What createTurnPacer needs. */
export interface TurnPacerOptions {
  /** Does the work; answers how many items there were. */
  readonly run: () => number;
  /** After a run of at least so many items the next one waits. */
  readonly busyItems: number;
  /** From the start of a busy run to the start of the next. 0 = never waits. */
  readonly intervalMs: number;
}

/** Shorter waits are not worth a timer. */
const leastWaitMs = 0.5;

/**
 * A pacer with nothing to do. One item after another goes out at once; many small batches become fewer larger ones, at
 * the price of at most `intervalMs`.
 */
export function createTurnPacer({ run, busyItems, intervalMs }: TurnPacerOptions): TurnPacer {
  let requested = false;
  let busyUntilMs = 0;
  let immediate: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined;

  const start = (): void => {
    requested = false;
    immediate = undefined;
    timer = undefined;
    const startMs = performance.now();
    busyUntilMs = run() >= busyItems ? startMs + intervalMs : 0;
  };
  return {
    request() {
      if (requested) return;
      requested = true;
      const waitMs = busyUntilMs === 0 ? 0 : busyUntilMs - performance.now();
      if (waitMs < leastWaitMs) immediate = setImmediate(start);
      else timer = setTimeout(start, waitMs);
    },
    runNow() {
      if (!requested) return;
      clearImmediate(immediate);
      clearTimeout(timer);
      start();
    },
  };
}
