import { monitorEventLoopDelay, performance } from "node:perf_hooks";

/** Figures of the process itself. */
export interface ProcessFigures {
  /** Figures since the last call, and totals. */
  read(): Readonly<Record<string, number>>;
  close(): void;
}

const nanosecondsPerSecond = 1e9;
const microsecondsPerSecond = 1e6;

/** Measures the event loop from now on. */
export function createProcessFigures(): ProcessFigures {
  const delay = monitorEventLoopDelay();
  delay.enable();
  let last = performance.eventLoopUtilization();
  return {
    read() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      const [delayP50, delayP99] = [50, 99].map((share) => delay.percentile(share) / nanosecondsPerSecond) as [
        number,
        number,
      ];
      delay.reset();
      const { user, system } = process.cpuUsage();
      return {
        delayP50,
        delayP99,
        utilization,
        residentBytes: process.memoryUsage.rss(),
        cpuSeconds: (user + system) / microsecondsPerSecond,
      };
    },
    close: () => delay.disable(),
  };
}
