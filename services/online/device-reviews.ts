import { create } from "@bufbuild/protobuf";
import { type DeviceReview, DeviceReviewSchema } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Presence, PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import type { RemoteLogins } from "@chappe/mesh/rpc/remote-logins.ts";

/** What createDeviceReviews needs. */
export interface DeviceReviewsOptions {
  readonly presence: Pick<Presence, "lookup">;
  readonly logins: Pick<RemoteLogins, "review">;
  readonly logger: Logger;
}

function reviewOf(entry: PresenceEntry, ofUser: readonly PresenceEntry[]): DeviceReview | undefined {
  const others = [...new Set(ofUser.map(({ loginId }) => loginId))].filter((id) => id !== entry.loginId);
  const loginIds = others.slice(0, limits.maxReviewedLogins);
  if (loginIds.length === 0) return undefined;
  const deviceConnections = ofUser.filter(({ deviceId }) => deviceId === entry.deviceId).length;
  return create(DeviceReviewSchema, { connectionId: entry.connectionId, deviceConnections, loginIds });
}

/**
 * Tells a Login process which of its new sessions have company at others, for the device policy. Looked up after the
 * sessions are registered: of two that come at once at least one sees the other. What fails is told again when the
 * process announces its table.
 */
export function createDeviceReviews(options: DeviceReviewsOptions): (begun: readonly PresenceEntry[]) => void {
  const { presence, logins, logger } = options;
  let inFlight = 0;
  const tell = async (begun: readonly PresenceEntry[], { loginId, loginEpoch }: PresenceEntry): Promise<void> => {
    const found = await presence.lookup(begun.map(({ userId }) => userId));
    const reviews = begun.flatMap((entry, index) => reviewOf(entry, found[index] ?? []) ?? []);
    if (reviews.length > 0) await logins.review(loginId, loginEpoch, reviews);
  };
  return (begun) => {
    const [first] = begun;
    if (first === undefined) return;
    if (inFlight >= limits.maxReviewCalls) {
      logger.warn("online.device-reviews-dropped", { sessions: begun.length });
      return;
    }
    inFlight++;
    void tell(begun, first)
      .catch((error: unknown) => logger.warn("online.device-reviews-failed", { error }))
      .finally(() => inFlight--);
  };
}
