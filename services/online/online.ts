import type { PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { type Logger, silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { DeliverySinks } from "@chappe/mesh/rpc/delivery.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { Lease } from "./lease.ts";
import { PresenceWatches } from "./presence-watches.ts";
import { createSessionBatcher } from "./session-batcher.ts";

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
  const { presence, sinks, loginId, loginEpoch } = options;
  const wheel = options.wheel ?? new TimerWheel();
  const watches = new PresenceWatches(sinks, wheel, options.flushMs ?? limits.presenceFlushMs);
  const stopWatching = presence.watch((changes) => watches.onChanges(changes));
  const lease = new Lease({
    presence,
    loginId,
    loginEpoch,
    wheel,
    logger: options.logger ?? silentLogger,
    ttlMs: options.leaseTtlMs ?? limits.presenceLeaseTtlMs,
    renewMs: options.leaseRenewMs ?? limits.presenceLeaseRenewMs,
    announceMs: options.announceMs ?? limits.presenceAnnounceMs,
    announceAll: () => batcher.announceAll(),
  });
  const batcher = createSessionBatcher(presence, lease.tried);
  return {
    presenceService: createPresenceService(presence, watches, (connection) => {
      return connection.loginId !== loginId || batcher.has(connection.connectionId);
    }),
    get watches() {
      return watches.watches;
    },
    register: (entry: PresenceEntry) => batcher.register(entry),
    unregister(entry: PresenceEntry) {
      watches.remove(entry);
      return batcher.unregister(entry);
    },
    async close() {
      stopWatching();
      lease.close();
      watches.close();
      batcher.close();
      if (options.wheel === undefined) wheel.close();
    },
  };
}

function createPresenceService(
  presence: Presence,
  watches: PresenceWatches,
  isHere: (connection: { readonly loginId: string; readonly connectionId: bigint }) => boolean,
): ServiceImpl<typeof PresenceService> {
  const presencesOf = async (userIds: readonly bigint[]) => {
    const entries = await presence.lookup(userIds);
    return userIds.map((userId, i) => ({ userId, online: entries[i]!.length > 0 }));
  };
  return {
    async getPresence(request) {
      return { presences: await presencesOf(request.userIds) };
    },
    async watchPresence(request, context) {
      const { connection } = context.values.get(identityKey);
      if (connection === undefined) throw new ChappeError("NEEDS_LONG_CONNECTION");
      // Watch first, look second: a change in between is then heard, at worst twice.
      watches.replace(connection, request.userIds);
      const presences = await presencesOf(request.userIds);
      if (!isHere(connection)) {
        watches.remove(connection);
        throw new ChappeError("CANCELLED", "The connection has gone.");
      }
      return { presences };
    },
  };
}
