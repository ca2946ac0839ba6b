import { TraceHubService } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type LinkServerOptions, serveLinks } from "@chappe/mesh/link/create-link-server.ts";
import type { Link } from "@chappe/mesh/link/link.ts";
import { linkChannelOptions } from "@chappe/mesh/link/link-wire.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import { type Contracts, createContracts } from "@chappe/mesh/rpc/contracts.ts";
import { createLiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import type { MeshTls } from "@chappe/mesh/tls/open-mesh-tls.ts";
import { createRoleGuard } from "@chappe/mesh/tls/role-guard.ts";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createHealth } from "../grpc-edge/health.ts";
import { createRoute, type Route } from "../route/create-route.ts";
import { createTraceHub } from "../route/trace-hub.ts";
import type { Config } from "./config.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { openRegistry } from "./open-registry.ts";
import type { Telemetry } from "./open-telemetry.ts";
import type { RunningRole } from "./running-role.ts";
import { backendOf } from "./start-modules.ts";
import { createTraceLinks } from "./trace-links.ts";

/** What startRoute needs. */
export interface RouteRoleOptions {
  readonly settings: MeshSettings;
  readonly config: Config;
  readonly directory: Directory;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

function listen(server: Server, host: string, port: number, tls: MeshTls | undefined): Promise<number> {
  const credentials = tls?.serverCredentials ?? ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, credentials, (cause, bound) => {
      if (cause === null) resolve(bound);
      else reject(new ChappeError("UNAVAILABLE", `cannot listen for links on ${host}:${port}`, { cause }));
    });
  });
}

/** Attaches what the other end serves, for as long as the link is there. A start that comes back displaces its old link. */
function createAttacher(route: Route, logger: Logger): (link: Link) => void {
  const linkOf = new Map<string, { readonly link: Link; readonly detached: Promise<unknown> }>();
  const attach = async (link: Link): Promise<void> => {
    const { instanceId, svids } = link.peer;
    const older = linkOf.get(instanceId);
    older?.link.close();
    let onDetached = (): void => undefined;
    const detached = new Promise<void>((resolve) => {
      onDetached = resolve;
    });
    linkOf.set(instanceId, { link, detached });
    await older?.detached;
    const detachers: (() => Promise<void>)[] = [];
    try {
      for (const svid of svids)
        detachers.push(await route.attach({ svid, handle: (call) => link.call(call) }, instanceId));
      await link.closed;
    } finally {
      for (const detach of detachers) await detach();
      if (linkOf.get(instanceId)?.link === link) linkOf.delete(instanceId);
      onDetached();
    }
  };
  return (link) => {
    attach(link).catch((error: unknown) => {
      logger.warn("link.refused", { peer: link.peer.instanceId, error });
      link.close();
    });
  };
}

/** Lets in, with certificates, whom the contracts name; without, whoever knows the secret. */
function admission(tls: MeshTls | undefined, contracts: Contracts, route: Route): Pick<LinkServerOptions, "admit"> {
  if (tls === undefined) return {};
  const guard = createRoleGuard(contracts);
  return {
    admit(caller, { svids }) {
      const roles = tls.rolesOf(caller);
      guard.checkServes(roles, svids);
      return guard.guard(roles, route);
    },
  };
}

/** The Route's own part of traces, and the way to those of all processes that it reaches. */
async function attachTrace(route: Route, instanceId: string, telemetry: Telemetry): Promise<void> {
  const trace = telemetry.takeService();
  const validator = createRequestValidator();
  if (trace !== undefined) await route.attach(backendOf(trace, validator), instanceId);
  const impl = createTraceHub(route, instanceId);
  await route.attach(backendOf({ service: TraceHubService, impl }, validator));
  telemetry.links ??= createTraceLinks(() => [route]);
}

/** A Route process: takes calls from any link to whichever link serves their SVID. It keeps nothing. */
export async function startRoute(options: RouteRoleOptions): Promise<RunningRole & { readonly linkPort: number }> {
  const { settings, config, directory, logger, telemetry } = options;
  const { linkHost: host, linkPort: port, advertiseHost } = config;
  const { instanceId, secret, tls } = settings;
  const local = createMemoryDirectory();
  const contracts = createLiveContracts(createContracts(), limits.maxLiveServices);
  const route = createRoute({ contracts, directory: local, hops: telemetry.hops });
  const registry = openRegistry(route, contracts, config, logger);
  const health = createHealth();
  const wheel = new TimerWheel();
  const server = new Server(linkChannelOptions);
  const self = { instanceId, svids: [] };
  const links = serveLinks({
    server,
    self,
    secret,
    handler: route,
    ...admission(tls, contracts, route),
    onLink: createAttacher(route, logger),
    wheel,
    logger,
  });
  for (const part of [registry, health]) part.addTo(server);
  const linkPort = await listen(server, host, port, tls);
  const leave = await directory.register({ role: "route", id: instanceId, address: `${advertiseHost}:${linkPort}` });
  await attachTrace(route, instanceId, telemetry);
  telemetry.stats.push(() => ({ route: route.stats() }));
  let draining = false;
  return {
    linkPort,
    ready: () => !draining,
    async drain() {
      draining = true;
      health.setReady(false);
      await leave();
      links.goAway();
    },
    async close() {
      await leave();
      await registry.close();
      links.close();
      server.forceShutdown();
      await route.close();
      await local.close();
      wheel.close();
    },
  };
}
