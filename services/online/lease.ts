import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { SessionStore } from "@chappe/mesh/rpc/remote-session-store.ts";
import { type TimerWheel, WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";

/** What a lease is made of. Times are in milliseconds. */
export interface LeaseOptions {
  readonly presence: SessionStore;
  readonly loginId: string;
  readonly loginEpoch: number;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
  readonly ttlMs: number;
  readonly renewMs: number;
  readonly announceMs: number;
  /** Registers the table again: at once after a lapse, and slowly for ever. */
  readonly announceAll: () => Promise<void>;
}

/** Keeps the lease of a Login process. As a timer it is its own next renewal. */
export class Lease extends WheelTimer {
  readonly #options: LeaseOptions;
  #renewedMs = Number.NEGATIVE_INFINITY;
  #announcedMs: number;
  #closed = false;
  /** Settles after the first try, however it went. */
  readonly tried: Promise<void>;

  constructor(options: LeaseOptions) {
    super();
    this.#options = options;
    this.#announcedMs = options.wheel.now();
    this.tried = this.#renew();
  }

  override onTimer(): void {
    void this.#renew();
  }

  /** Lets the lease run out. */
  close(): void {
    this.#closed = true;
    this.#options.wheel.cancel(this);
  }

  async #renew(): Promise<void> {
    const { presence, loginId, loginEpoch, wheel, logger, ttlMs, renewMs, announceMs, announceAll } = this.#options;
    const askedMs = wheel.now();
    try {
      const { entriesLost } = await presence.renewLease(loginId, loginEpoch, ttlMs);
      const lapsed = entriesLost || askedMs - this.#renewedMs >= ttlMs;
      this.#renewedMs = askedMs;
      if (lapsed || askedMs - this.#announcedMs >= announceMs) {
        this.#announcedMs = askedMs;
        void announceAll();
      }
    } catch (error) {
      logger.warn("presence lease not renewed", { loginId, loginEpoch, error });
    }
    if (!this.#closed) wheel.schedule(this, renewMs);
  }
}
