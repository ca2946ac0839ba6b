import { BoundedMap } from "@chappe/mesh/auth/bounded-map.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";

/** Limits attempts by key. */
export interface AttemptLimiter {
  /** Throws RATE_LIMITED with the time to wait. */
  take(key: string): void;
}

/** Attempts of one key: so many at once, refilled one each `refillMs`; at most `maxKeys` are remembered. */
export function createAttemptLimiter(options: {
  readonly burst: number;
  readonly refillMs: number;
  readonly maxKeys: number;
  readonly now: () => number;
}): AttemptLimiter {
  const { burst, refillMs, now } = options;
  const emptyAt = new BoundedMap<string, number>(options.maxKeys);
  return {
    take(key) {
      // One number per key: when its bucket would be full again.
      const fullMs = Math.max(emptyAt.touch(key) ?? 0, now()) + refillMs;
      const waitMs = fullMs - now() - burst * refillMs;
      if (waitMs > 0) throw new ChappeError("RATE_LIMITED", undefined, { retryAfterMs: Math.ceil(waitMs) });
      emptyAt.set(key, fullMs);
    },
  };
}
