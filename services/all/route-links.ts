import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { createLinkDialer } from "@chappe/mesh/link/create-link-dialer.ts";
import { createLinkRouter } from "@chappe/mesh/link/create-link-router.ts";
import type { Link } from "@chappe/mesh/link/link.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import type { Backend, Router } from "@chappe/mesh/rpc/call.ts";
import { createRouteTransport } from "@chappe/mesh/rpc/route-transport.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import type { Transport } from "@connectrpc/connect";
import type { MeshSettings } from "./mesh-settings.ts";

/** What openRouteLinks needs. */
export interface RouteLinksOptions {
  readonly settings: MeshSettings;
  readonly directory: Directory;
  /** Services that this process answers for. */
  readonly svids: readonly number[];
  /** Answers what comes in. */
  readonly handler: Router;
  /** A link has ended: what was on its way may be lost. */
  readonly onLost?: () => void;
  readonly logger: Logger;
}

/** The links of a process to every Route. */
export interface RouteLinks {
  readonly router: Router;
  readonly transport: Transport;
  /** The links that are open. */
  links(): readonly Link[];
  /** Settles when a Route is reached; UNAVAILABLE when none is in limits.routeWaitMs. */
  ready(): Promise<void>;
  /** Whether a Route is reached now, and may send calls. */
  isOpen(): boolean;
  /** Tells the Routes to send no new calls. */
  goAway(): void;
  close(): Promise<void>;
}

/** Router over some backends of this process. */
export function routerOf(backends: readonly Backend[]): Router {
  const bySvid = new Map(backends.map((backend) => [backend.svid, backend]));
  return {
    call: (call) =>
      bySvid.get(call.svid)?.handle(call) ?? Promise.reject(new ChappeError("UNAVAILABLE", "It is not served here.")),
  };
}

/** Dials every Route that the settings or the Directory name, for as long as it is named. */
export function openRouteLinks(options: RouteLinksOptions): RouteLinks {
  const { settings, directory, svids, handler, logger, onLost } = options;
  const { instanceId, secret, routes, tls } = settings;
  const wheel = new TimerWheel();
  let open = 0;
  let goingAway = false;
  const onChange = (): void => {
    const now = dialer.links.length;
    if (now < open) onLost?.();
    open = now;
  };
  const self = { instanceId, svids };
  const credentials = tls && { credentials: tls.channelCredentials("route") };
  const dialer = createLinkDialer({ self, secret, handler, wheel, onChange, logger, ...credentials });
  dialer.setAddresses(routes);
  const unwatch = directory.watch("route", (entries) => {
    dialer.setAddresses([...new Set([...routes, ...entries.map(({ address }) => address)])]);
  });
  const router = createLinkRouter(dialer);
  return {
    router,
    transport: createRouteTransport(router),
    links: () => dialer.links,
    ready: () => dialer.whenOpen({ timeoutMs: limits.routeWaitMs }),
    isOpen: () => !goingAway && dialer.links.length > 0,
    goAway() {
      goingAway = true;
      for (const link of dialer.links) link.goAway();
    },
    async close() {
      unwatch();
      dialer.close();
      wheel.close();
    },
  };
}
