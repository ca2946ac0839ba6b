import type { PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { DeliverySinks } from "@chappe/mesh/rpc/delivery.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";
import type { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { createSessionRegistry } from "./create-session-registry.ts";
import { createPresenceWatching } from "./presence-watching.ts";

/** What Online stands on. */
export interface OnlineOptions {
  readonly presence: Presence;
  /** Where presence events for watching connections go. */
  readonly sinks: DeliverySinks;
  /** The Login process whose sessions are registered here. */
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
  /** Changes wait so long for company. @default limits.presenceFlushMs */
  readonly flushMs?: number;
}

/** Who is where, for the Login of this process and for clients. */
export interface Online extends SessionRegistry {
  /** Handlers of PresenceService; the caller is `context.values.get(identityKey)`. */
  readonly presenceService: ServiceImpl<typeof PresenceService>;
  /** Watched users of all connections together. */
  readonly watches: number;
  /** Lets the lease run out and refuses what waits. */
  close(): Promise<void>;
}

/** Online, folded into one Login process. */
export function createOnline(options: OnlineOptions): Online {
  const watching = createPresenceWatching(options);
  const registry = createSessionRegistry({ ...options, store: options.presence });
  return {
    presenceService: watching.presenceService,
    get watches() {
      return watching.watches;
    },
    register: (entry: PresenceEntry) => registry.register(entry),
    unregister(entry: PresenceEntry) {
      watching.onEnded([entry]);
      return registry.unregister(entry);
    },
    async close() {
      await registry.close();
      await watching.close();
    },
  };
}
