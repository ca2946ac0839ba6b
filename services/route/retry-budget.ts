import { limits } from "@chappe/mesh/limits.ts";

/** Retries that the calls of one SVID may cost: a share of the calls, and a few a second for services with few calls. */
export class RetryBudget {
  readonly #now: () => number;
  #saved: number = limits.maxRetriesSaved;
  #refilledMs: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#refilledMs = now();
  }

  /** A call has begun. */
  onCall(): void {
    this.#add(limits.retriesPerCall);
  }

  /** Takes one retry; false = there is none left. */
  take(): boolean {
    const now = this.#now();
    this.#add(((now - this.#refilledMs) / 1_000) * limits.retriesPerSecond);
    this.#refilledMs = now;
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }

  #add(retries: number): void {
    this.#saved = Math.min(limits.maxRetriesSaved, this.#saved + Math.max(0, retries));
  }
}
