import type { PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { isSeenOnline, type Presence, type PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { DeliverySinks } from "@chappe/mesh/rpc/delivery.ts";
import { type Identity, identityKey } from "@chappe/mesh/rpc/identity.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { PresenceWatches } from "./presence-watches.ts";

/** What createPresenceWatching needs. */
export interface PresenceWatchingOptions {
  readonly presence: Presence;
  /** Where presence events for watching connections go. */
  readonly sinks: DeliverySinks;
  /** Clock and timers; stays the caller's to close. @default a wheel of its own */
  readonly wheel?: TimerWheel;
  /** Changes wait so long for company. @default limits.presenceFlushMs */
  readonly flushMs?: number;
}

/** Who is online, for clients. */
export interface PresenceWatching {
  /** Handlers of PresenceService; the caller is `context.values.get(identityKey)`. */
  readonly presenceService: ServiceImpl<typeof PresenceService>;
  /** Watched users of all connections together. */
  readonly watches: number;
  /** These sessions have ended, and with them what they watch. */
  readonly onEnded: (entries: readonly PresenceEntry[]) => void;
  close(): Promise<void>;
}

/** Answers who is online, and tells those who watch when it changes. */
export function createPresenceWatching(options: PresenceWatchingOptions): PresenceWatching {
  const { presence, sinks } = options;
  const wheel = options.wheel ?? new TimerWheel();
  const watches = new PresenceWatches(sinks, wheel, options.flushMs ?? limits.presenceFlushMs);
  const stopWatching = presence.watch((changes) => watches.onChanges(changes));
  return {
    presenceService: createPresenceService(presence, watches),
    get watches() {
      return watches.watches;
    },
    onEnded(entries) {
      for (const entry of entries) watches.remove(entry);
    },
    async close() {
      stopWatching();
      watches.close();
      if (options.wheel === undefined) wheel.close();
    },
  };
}

async function isHere(presence: Presence, { userId, connection }: Identity): Promise<boolean> {
  const [entries = []] = await presence.lookup([userId]);
  return entries.some(
    (entry) => entry.connectionId === connection?.connectionId && entry.loginId === connection.loginId,
  );
}

function createPresenceService(presence: Presence, watches: PresenceWatches): ServiceImpl<typeof PresenceService> {
  const presencesOf = async (userIds: readonly bigint[]) => {
    const entries = await presence.lookup(userIds);
    return userIds.map((userId, i) => ({ userId, online: isSeenOnline(entries[i]!) }));
  };
  return {
    async getPresence(request) {
      return { presences: await presencesOf(request.userIds) };
    },
    async watchPresence(request, context) {
      const identity = context.values.get(identityKey);
      const { connection } = identity;
      if (connection === undefined) throw new ChappeError("NEEDS_LONG_CONNECTION");
      // Watch first, look second: a change in between is then heard, at worst twice.
      watches.replace(connection, request.userIds);
      const presences = await presencesOf(request.userIds);
      if (!(await isHere(presence, identity))) {
        watches.remove(connection);
        throw new ChappeError("CANCELLED", "The connection has gone.");
      }
      return { presences };
    },
  };
}
