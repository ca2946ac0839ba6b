/** Opens when everything that was on the log at a certain moment has been committed. */
export interface ReplayGate {
  /** The partition is committed up to this offset. */
  reached(partition: number, nextOffset: number): void;
  /** The partition is stopped and will never get there. */
  skip(partition: number): void;
  /** Settles when every partition has reached its end, or was skipped. */
  readonly opened: Promise<void>;
}

/** A gate in front of these ends, by partition. */
export function createReplayGate(ends: ReadonlyMap<number, number>): ReplayGate {
  const missing = new Map([...ends].filter(([, end]) => end > 0));
  const { promise, resolve } = Promise.withResolvers<void>();
  const pass = (partition: number): void => {
    missing.delete(partition);
    if (missing.size === 0) resolve();
  };
  if (missing.size === 0) resolve();
  return {
    reached(partition, nextOffset) {
      const end = missing.get(partition);
      if (end !== undefined && nextOffset >= end) pass(partition);
    },
    skip: pass,
    opened: promise,
  };
}
