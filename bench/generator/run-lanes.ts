import type { LoadTimes, TrafficResult } from "./load-config.ts";
import { startOpenLoop } from "./open-loop.ts";
import type { SendLane } from "./send-lane.ts";
import { type TrafficMeter, wait } from "./traffic-meter.ts";

const drainTimeoutMs = 15_000;
const drainPollMs = 20;

/** What to run. */
export interface RunOptions extends LoadTimes {
  readonly serverPid: number;
  readonly lanes: readonly SendLane[];
  readonly meter: TrafficMeter;
  /** 0 = closed loop. */
  readonly rate: number;
  readonly connections: number;
  /** Rejects when something went wrong. */
  readonly failed: Promise<never>;
}

/** Warm-up, measurement and drain. Rejects when messages are still missing 15 s after the last send. */
export async function runLanes(options: RunOptions): Promise<TrafficResult> {
  const { lanes, meter, rate, failed } = options;
  let stop = (): void => {
    for (const lane of lanes) lane.stop();
  };
  if (rate > 0) stop = startOpenLoop(rate, (index, dueMs) => lanes[index % lanes.length]!.offer(dueMs));
  else for (const lane of lanes) lane.start(performance.now());
  try {
    const measured = await meter.measure(options.serverPid, options, failed);
    stop();
    const unfinished = (): number => lanes.reduce((sum, lane) => sum + lane.unfinished, 0);
    const deadlineMs = performance.now() + drainTimeoutMs;
    while (unfinished() > 0) {
      if (performance.now() > deadlineMs) throw new Error(`${unfinished()} messages never completed`);
      await Promise.race([wait(drainPollMs), failed]);
    }
    return { connections: options.connections, ...measured };
  } finally {
    stop();
  }
}
