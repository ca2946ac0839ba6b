import type { HistoryEvent } from "../history/history-event.ts";

type WithoutTime<T> = T extends unknown ? Omit<T, "timeUs"> : never;

/** An event before it gets its time. */
export type UntimedEvent = WithoutTime<HistoryEvent>;

/** Keeps a history in memory. */
export class HistoryRecorder {
  readonly events: HistoryEvent[] = [];

  /** Adds an event with the present time. */
  record(event: UntimedEvent): void {
    this.events.push({ timeUs: monotonicUs(), ...event } as HistoryEvent);
  }
}

/** The machine's monotonic clock, in microseconds; the same in all processes of the machine. */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1_000);
}
