import type {
  SessionEntry,
  SessionRegistryService,
} from "@chappe/gen/proto/chappe/online/v1/session_registry_service_pb.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { SessionStore } from "@chappe/mesh/rpc/remote-session-store.ts";
import type { ServiceImpl } from "@connectrpc/connect";

/** What createSessionRegistryService needs. */
export interface SessionRegistryOptions {
  readonly presence: SessionStore;
  /** Told of sessions that have ended. */
  readonly onEnded: (entries: readonly PresenceEntry[]) => void;
  /** Told of sessions that have begun, once look-ups see them; never waited for. */
  readonly onBegun: (entries: readonly PresenceEntry[]) => void;
}

interface OfLogin {
  readonly loginId: string;
  readonly loginEpoch: bigint;
}

const entriesOf = (sessions: readonly SessionEntry[], { loginId, loginEpoch }: OfLogin): PresenceEntry[] =>
  sessions.map(({ userId, deviceId, connectionId, invisible }) => ({
    userId,
    deviceId,
    connectionId,
    loginId,
    loginEpoch: Number(loginEpoch),
    ...(invisible && { invisible }),
  }));

/** Handlers of SessionRegistryService: sessions of Login processes elsewhere, kept by the presence engine. */
export function createSessionRegistryService(
  options: SessionRegistryOptions,
): ServiceImpl<typeof SessionRegistryService> {
  const { presence, onEnded, onBegun } = options;
  return {
    async renewLease({ loginId, loginEpoch, ttlMs }) {
      return await presence.renewLease(loginId, Number(loginEpoch), ttlMs);
    },
    async changeSessions(request) {
      const ended = entriesOf(request.ended, request);
      onEnded(ended);
      const begun = entriesOf(request.begun, request);
      await presence.register(begun);
      onBegun(begun);
      await presence.unregister(ended);
      return {};
    },
  };
}
