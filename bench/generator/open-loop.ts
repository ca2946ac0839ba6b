const tickMs = 1;

/** Calls `offer(i, dueMs)` for i = 0, 1, 2 ... at a fixed rate, late ones at once with their due time. Answers the stop. */
export function startOpenLoop(ratePerSecond: number, offer: (index: number, dueMs: number) => void): () => void {
  const startMs = performance.now();
  const spacingMs = 1_000 / ratePerSecond;
  let index = 0;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (let dueMs = startMs + index * spacingMs; dueMs <= nowMs; dueMs += spacingMs) offer(index++, dueMs);
  }, tickMs);
  return () => clearInterval(timer);
}
