import { type Logger, silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { SessionStore } from "@chappe/mesh/rpc/remote-session-store.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { Lease } from "./lease.ts";
import { createSessionBatcher } from "./session-batcher.ts";

/** What createSessionRegistry needs. */
export interface SessionRegistryOptions {
  /** The presence engine, or an Online process before it. */
  readonly store: SessionStore;
  /** The Login process whose sessions are registered. */
  readonly loginId: string;
  /** Larger at each start of that process. */
  readonly loginEpoch: number;
  /** Clock and timers; stays the caller's to close. @default a wheel of its own */
  readonly wheel?: TimerWheel;
  /** @default says nothing */
  readonly logger?: Logger;
  /** @default limits.presenceLeaseTtlMs */
  readonly leaseTtlMs?: number;
  /** @default limits.presenceLeaseRenewMs */
  readonly leaseRenewMs?: number;
  /** @default limits.presenceAnnounceMs */
  readonly announceMs?: number;
}

/** A registry and its end. */
export interface OwnedSessionRegistry extends SessionRegistry {
  /** Registers every session again. */
  announceAll(): Promise<void>;
  /** Lets the lease run out and refuses what waits. */
  close(): Promise<void>;
}

/** Keeps the lease of one Login process and tells Presence of its sessions, in batches. */
export function createSessionRegistry(options: SessionRegistryOptions): OwnedSessionRegistry {
  const { store, loginId, loginEpoch } = options;
  const wheel = options.wheel ?? new TimerWheel();
  const lease = new Lease({
    presence: store,
    loginId,
    loginEpoch,
    wheel,
    logger: options.logger ?? silentLogger,
    ttlMs: options.leaseTtlMs ?? limits.presenceLeaseTtlMs,
    renewMs: options.leaseRenewMs ?? limits.presenceLeaseRenewMs,
    announceMs: options.announceMs ?? limits.presenceAnnounceMs,
    announceAll: () => batcher.announceAll(),
  });
  const batcher = createSessionBatcher(store, lease.tried);
  return {
    register: (entry) => batcher.register(entry),
    unregister: (entry) => batcher.unregister(entry),
    announceAll: () => batcher.announceAll(),
    async close() {
      lease.close();
      batcher.close();
      if (options.wheel === undefined) wheel.close();
    },
  };
}
