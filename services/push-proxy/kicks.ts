import { type CloseRow, closeCodes } from "@chappe/gen/errors.ts";
import type { KickRequest } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { parseConnectionName } from "@chappe/mesh/rpc/connection-name.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import type { Kick, RemoteLogins } from "@chappe/mesh/rpc/remote-logins.ts";

/** What createKicks needs. */
export interface KicksOptions {
  readonly presence: Pick<Presence, "lookup">;
  readonly logins: Pick<RemoteLogins, "kick">;
}

/** How a kicked connection is closed: its client does not come back by itself. */
const close: CloseRow = closeCodes.SESSION_REVOKED;

function byLogin(entries: readonly PresenceEntry[], reason: string): Kick[] {
  const groups = Map.groupBy(entries, ({ loginId, loginEpoch }) => `${loginId} ${loginEpoch}`);
  return [...groups.values()].map((group) => {
    const { loginId, loginEpoch } = group[0]!;
    return { loginId, loginEpoch, connectionIds: group.map(({ connectionId }) => connectionId), close, reason };
  });
}

/**
 * Kicks of PushService: closes the connections that are there now, and answers how many. They are named one by one with
 * the start of their process, so that a connection made later is never closed by an older kick.
 */
export function createKicks({ presence, logins }: KicksOptions): (request: KickRequest) => Promise<number> {
  const kicksOf = async ({ userId, deviceId, connection, reason }: KickRequest): Promise<readonly Kick[]> => {
    if ((userId === 0n) === (connection === ""))
      throw invalidArgument("user_id", "exclusive", "exactly one of user_id and connection must be set");
    if (userId !== 0n) {
      const [entries = []] = await presence.lookup([userId]);
      const fitting = entries.filter((entry) => deviceId === 0n || entry.deviceId === deviceId);
      return byLogin(fitting, reason);
    }
    if (deviceId !== 0n) throw invalidArgument("device_id", "exclusive", "goes with user_id only");
    const named = parseConnectionName(connection);
    if (named === undefined) throw invalidArgument("connection", "pattern", "is not as chappe-connection had it");
    return [{ loginId: named.loginId, loginEpoch: 0, connectionIds: [named.connectionId], close, reason }];
  };
  return async (request) => {
    const closed = await Promise.all((await kicksOf(request)).map((kick) => logins.kick(kick)));
    return closed.reduce((sum, count) => sum + count, 0);
  };
}
