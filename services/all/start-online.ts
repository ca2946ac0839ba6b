import { PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import { SessionRegistryService } from "@chappe/gen/proto/chappe/online/v1/session_registry_service_pb.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import type { Router } from "@chappe/mesh/rpc/call.ts";
import { createRemoteDeliveries } from "@chappe/mesh/rpc/remote-deliveries.ts";
import { createRemoteLogins } from "@chappe/mesh/rpc/remote-logins.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createDeviceReviews } from "../online/device-reviews.ts";
import { createPresenceWatching } from "../online/presence-watching.ts";
import { createSessionRegistryService } from "../online/session-registry-backend.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { Telemetry } from "./open-telemetry.ts";
import { openRouteLinks, routerOf } from "./route-links.ts";
import type { RunningRole } from "./running-role.ts";
import { backendOf } from "./start-modules.ts";
import { createTraceLinks } from "./trace-links.ts";

/** What startOnline needs. */
export interface OnlineRoleOptions {
  readonly settings: MeshSettings;
  readonly directory: Directory;
  readonly presence: Presence;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** An Online process: keeps the sessions of Login processes and tells those who watch. */
export async function startOnline(options: OnlineRoleOptions): Promise<RunningRole> {
  const { settings, directory, presence, logger, telemetry } = options;
  const validator = createRequestValidator();
  const router: Router = { call: (call) => links.router.call(call) };
  const sinks = createRemoteDeliveries({ router });
  const watching = createPresenceWatching({ presence, sinks });
  const onEnded = watching.onEnded;
  const onBegun = createDeviceReviews({ presence, logins: createRemoteLogins(router), logger });
  const backends = [
    backendOf({ service: PresenceService, impl: watching.presenceService }, validator),
    backendOf(
      { service: SessionRegistryService, impl: createSessionRegistryService({ presence, onEnded, onBegun }) },
      validator,
    ),
  ];
  const trace = telemetry.takeService();
  if (trace !== undefined) backends.push(backendOf(trace, validator));
  const svids = backends.map(({ svid }) => svid);
  const links = openRouteLinks({ settings, directory, svids, handler: routerOf(backends), logger });
  await links.ready();
  telemetry.links ??= createTraceLinks(links.links);
  return {
    ready: () => links.isOpen(),
    async drain() {
      links.goAway();
    },
    async close() {
      await links.close();
      await watching.close();
    },
  };
}
