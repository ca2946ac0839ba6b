import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { serveLinks } from "@chappe/mesh/link/create-link-server.ts";
import type { Link } from "@chappe/mesh/link/link.ts";
import { linkChannelOptions } from "@chappe/mesh/link/link-wire.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { createRoute, type Route } from "../route/create-route.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { RunningRole } from "./running-role.ts";

/** What startRoute needs. */
export interface RouteRoleOptions {
  readonly settings: MeshSettings;
  readonly directory: Directory;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Host under which the others reach it. */
  readonly advertiseHost: string;
  readonly logger: Logger;
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (cause, bound) => {
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

/** A Route process: takes calls from any link to whichever link serves their SVID. It keeps nothing. */
export async function startRoute(options: RouteRoleOptions): Promise<RunningRole & { readonly linkPort: number }> {
  const { settings, directory, host, port, advertiseHost, logger } = options;
  const { instanceId, secret } = settings;
  const local = createMemoryDirectory();
  const route = createRoute({ contracts: createContracts(), directory: local });
  const wheel = new TimerWheel();
  const server = new Server(linkChannelOptions);
  const self = { instanceId, svids: [] };
  const links = serveLinks({
    server,
    self,
    secret,
    handler: route,
    onLink: createAttacher(route, logger),
    wheel,
    logger,
  });
  const linkPort = await listen(server, host, port);
  const leave = await directory.register({ role: "route", id: instanceId, address: `${advertiseHost}:${linkPort}` });
  return {
    linkPort,
    async drain() {
      await leave();
      links.goAway();
    },
    async close() {
      await leave();
      links.close();
      server.forceShutdown();
      await route.close();
      await local.close();
      wheel.close();
    },
  };
}
