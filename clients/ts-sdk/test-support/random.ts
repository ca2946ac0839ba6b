/** Numbers from a seed (mulberry32), so that a failure can be run again. */
export interface SeededRandom {
  /** From 0 to below 1. */
  next(): number;
  /** Whole, from 0 to below n. */
  below(n: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
}

/** The same seed gives the same numbers. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (values) => values[below(values.length)]!,
  };
}
