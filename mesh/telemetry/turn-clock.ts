/**
 * Unix milliseconds, read once a turn of the event loop: what happens in one turn has one time, and many messages share the
 * cost of reading the clock. It is late by the length of a turn at most.
 */
export function createTurnClock(): () => number {
  let nowMs = 0;
  const forget = (): void => {
    nowMs = 0;
  };
  return () => {
    if (nowMs !== 0) return nowMs;
    nowMs = performance.timeOrigin + performance.now();
    setImmediate(forget);
    return nowMs;
  };
}
