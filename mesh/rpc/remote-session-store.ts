import { SessionRegistryService } from "@chappe/gen/proto/chappe/online/v1/session_registry_service_pb.ts";
import { createClient, type Transport } from "@connectrpc/connect";
import type { Presence, PresenceEntry } from "../ports/presence.ts";

/** The part of Presence that a Login process writes. */
export type SessionStore = Pick<Presence, "renewLease" | "register" | "unregister">;

const sessionOf = ({ userId, deviceId, connectionId, invisible }: PresenceEntry) => ({
  userId,
  deviceId,
  connectionId,
  invisible: invisible === true,
});

/** Sessions kept by an Online process. All entries of a call are of one start of one Login process. */
export function createRemoteSessionStore(transport: Transport): SessionStore {
  const online = createClient(SessionRegistryService, transport);
  const change = async (entries: readonly PresenceEntry[], begin: boolean): Promise<void> => {
    const [first] = entries;
    if (first === undefined) return;
    const { loginId } = first;
    const loginEpoch = BigInt(first.loginEpoch);
    const sessions = entries.map(sessionOf);
    await online.changeSessions({ loginId, loginEpoch, ...(begin ? { begun: sessions } : { ended: sessions }) });
  };
  return {
    async renewLease(loginId, loginEpoch, ttlMs) {
      return await online.renewLease({ loginId, loginEpoch: BigInt(loginEpoch), ttlMs });
    },
    register: (entries) => change(entries, true),
    unregister: (entries) => change(entries, false),
  };
}
