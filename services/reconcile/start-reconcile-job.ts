import { type ReconcileOptions, reconcile } from "./reconcile.ts";

/** Figures of the job since its start. */
export interface ReconcileStats {
  readonly runs: number;
  /** Runs that could not be made, for example because an engine did not answer. */
  readonly failures: number;
  readonly conversations: number;
  /** Conversations whose tiers differed; anything but 0 is for an operator to look at. */
  readonly incidents: number;
}

/** A job that runs now and then. */
export interface ReconcileJob {
  stats(): ReconcileStats;
  /** Waits for the run in hand. */
  close(): Promise<void>;
}

/** Reconciles a new sample every `intervalMs`, the first time after that; one run at a time. */
export function startReconcileJob(options: ReconcileOptions & { readonly intervalMs: number }): ReconcileJob {
  const totals = { runs: 0, failures: 0, conversations: 0, incidents: 0 };
  let running: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      const { conversations, incidents } = await reconcile(options);
      totals.runs++;
      totals.conversations += conversations;
      totals.incidents += incidents.length;
    } catch (error) {
      totals.failures++;
      options.logger.warn("reconcile.not-run", { error });
    }
    running = undefined;
  };
  const timer = setInterval(() => {
    running ??= run();
  }, options.intervalMs);
  timer.unref();
  return {
    stats: () => ({ ...totals }),
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}
