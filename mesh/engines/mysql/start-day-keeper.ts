import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import { makeDaysAhead } from "./day-partitions.ts";
import type { Mysql } from "./open-mysql.ts";

/** What startDayKeeper needs. */
export interface DayKeeperOptions {
  readonly mysql: Mysql;
  /** A run that failed, such as for want of the ALTER privilege; the next one makes up for it. */
  readonly onFailed: (error: ChappeError) => void;
  /** @default limits.mysqlDayCheckMs */
  readonly intervalMs?: number;
}

/** Makes partitions ahead, now and again every interval. */
export function startDayKeeper({ mysql, onFailed, intervalMs = limits.mysqlDayCheckMs }: DayKeeperOptions): {
  close(): Promise<void>;
} {
  let running: Promise<unknown> | undefined;
  const run = (): void => {
    running ??= makeDaysAhead(mysql)
      .catch((error: unknown) => onFailed(ChappeError.from(error)))
      .finally(() => {
        running = undefined;
      });
  };
  run();
  const timer = setInterval(run, intervalMs);
  timer.unref();
  return {
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}
