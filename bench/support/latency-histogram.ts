/** Sub-buckets per power of two: 1/64 = 1.6% is the largest error of a reading. */
const subBuckets = 64;
/** From 1 us to 2^32 us, over an hour. */
const powers = 32;

/** Latencies in logarithmic buckets, as HdrHistogram keeps them: fixed memory, bounded relative error. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(subBuckets * (powers + 1));
  #count = 0;
  #maxMs = 0;

  /** Values recorded. */
  get count(): number {
    return this.#count;
  }

  /** Largest value, exact, in milliseconds. */
  get maxMs(): number {
    return this.#maxMs;
  }

  record(ms: number): void {
    const us = Math.max(1, Math.min(Math.round(ms * 1_000), 2 ** powers - 1));
    this.#counts[bucketOf(us)]!++;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  /** The value that the given share (0 to 1) of all values does not exceed, in milliseconds; 0 when empty. */
  quantileMs(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let passed = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      passed += this.#counts[bucket]!;
      if (passed >= wanted) return Math.min(upperUs(bucket) / 1_000, this.#maxMs);
    }
    return 0;
  }
}

function bucketOf(us: number): number {
  if (us < subBuckets) return us;
  const shift = 31 - Math.clz32(us) - 6;
  return subBuckets * (shift + 1) + ((us >>> shift) - subBuckets);
}

function upperUs(bucket: number): number {
  if (bucket < subBuckets) return bucket;
  const shift = Math.floor(bucket / subBuckets) - 1;
  return ((bucket % subBuckets) + subBuckets + 1) * 2 ** shift - 1;
}
