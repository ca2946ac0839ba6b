/** Upper bounds of the buckets, milliseconds; 120 and 1,000 are the promises. */
export const latencyBoundsMs: readonly number[] = [1, 3, 10, 30, 60, 120, 250, 500, 1_000, 2_500, 10_000, 60_000];

/** A histogram in an array made once. */
export class LatencyCounts {
  /** One more than the bounds: the last is for what is over all of them. Not cumulative. */
  readonly buckets: Float64Array = new Float64Array(latencyBoundsMs.length + 1);
  count = 0;
  sumMs = 0;

  record(ms: number): void {
    let bucket = 0;
    while (bucket < latencyBoundsMs.length && ms > latencyBoundsMs[bucket]!) bucket++;
    this.buckets[bucket]!++;
    this.count++;
    this.sumMs += Math.max(0, ms);
  }

  /** For pages that show figures. */
  toJSON(): { readonly count: number; readonly sumMs: number } {
    return { count: this.count, sumMs: this.sumMs };
  }

  /** How many took at most so long; `ms` is one of the bounds. */
  within(ms: number): number {
    let count = 0;
    for (let i = 0; i < latencyBoundsMs.length && latencyBoundsMs[i]! <= ms; i++) count += this.buckets[i]!;
    return count;
  }
}
