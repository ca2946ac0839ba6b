import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Router } from "@chappe/mesh/rpc/call.ts";
import { createRemoteDeliveries } from "@chappe/mesh/rpc/remote-deliveries.ts";
import { createSignallingWorker } from "../push-worker/signalling-worker.ts";
import { type Config, coreRolesOf } from "./config.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { Engines } from "./open-engines.ts";
import type { Telemetry } from "./open-telemetry.ts";
import { openRouteLinks, type RouteLinks } from "./route-links.ts";
import type { RunningRole } from "./running-role.ts";
import { createShared, createTokens, startModules } from "./start-modules.ts";
import { createTraceLinks } from "./trace-links.ts";

/** What startCore needs. */
export interface CoreRoleOptions {
  readonly settings: MeshSettings;
  readonly config: Config;
  /** Stay the caller's to close. */
  readonly engines: Engines;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** A call that names this process is for whichever module of it serves the address. */
function hereOf(route: Router): Router {
  return {
    call(call) {
      if (call.target === undefined) return route.call(call);
      const { target: _here, ...rest } = call;
      return route.call(rest);
    },
  };
}

/** Messages, push and business, or the modules of them that the settings name. They are served by way of the Routes. */
export async function startCore({
  settings,
  config,
  engines,
  logger,
  telemetry,
}: CoreRoleOptions): Promise<RunningRole> {
  const { hops } = telemetry;
  let links: RouteLinks | undefined;
  const unlinked = (): Promise<never> => Promise.reject(new ChappeError("UNAVAILABLE"));
  const router: Router = { call: (call) => links?.router.call(call) ?? unlinked() };
  const directory = createMemoryDirectory();
  const shared = createShared({ store: engines.store, directory }, { elsewhere: router, hops });
  const tokens = await createTokens(engines);
  const worker = createSignallingWorker(createRemoteDeliveries({ router }), hops);
  const roles = coreRolesOf(config);
  telemetry.stores = engines;
  const trace = telemetry.takeService();
  const others = trace === undefined ? [] : [trace];
  const modules = await startModules(engines, { shared, tokens, config, logger, worker, others, roles });
  telemetry.stats.push(modules.stats);
  const { svids } = modules;
  links = openRouteLinks({ settings, directory: engines.directory, svids, handler: hereOf(shared.route), logger });
  const opened = links;
  telemetry.links ??= createTraceLinks(opened.links);
  await opened.ready();
  return {
    ready: () => opened.isOpen(),
    remark: modules.remark,
    async drain() {
      opened.goAway();
    },
    async close() {
      await opened.close();
      for (const part of modules.parts) await part.close();
      await directory.close();
      tokens.verifier.close();
    },
  };
}
