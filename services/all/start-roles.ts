import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import { type Config, coreRolesOf } from "./config.ts";
import { readMeshSettings } from "./mesh-settings.ts";
import { openEngines } from "./open-engines.ts";
import type { ListenerPorts } from "./open-listeners.ts";
import { openTelemetry, type Telemetry } from "./open-telemetry.ts";
import type { RunningRole } from "./running-role.ts";
import type { ServeOther } from "./serve-other.ts";
import { startCore } from "./start-core.ts";
import { startEnvoyControl } from "./start-envoy-control.ts";
import { startLogin } from "./start-login.ts";
import { startOnline } from "./start-online.ts";
import { startRoute } from "./start-route.ts";

/** What is shared by the processes of a mesh. */
export interface MeshEngines {
  readonly presence: Presence;
  readonly directory: Directory;
}

/** What startRoles needs. */
export interface RolesOptions {
  readonly config: Config;
  /** Stay the caller's to close. */
  readonly engines: MeshEngines;
  readonly logger: Logger;
  readonly serveOther: ServeOther;
  /** An engine of this process has failed for good; the process should stop. */
  readonly onFailed: (error: ChappeError) => void;
}

/** Some roles of a mesh, running in this process. */
export interface RunningRoles {
  /** HTTP port of Login; undefined without that role. */
  readonly port?: number;
  readonly listenerPorts?: ListenerPorts;
  /** Where a Route listens for links; undefined without that role. */
  readonly linkPort?: number;
  /** Whether every role can do its work now. */
  ready(): boolean;
  /** What an operator must look at; undefined = nothing. */
  readonly telemetry: Telemetry;
  remark(): string | undefined;
  /** Drains for at most `drainMs`, then stops the roles in the reverse order of their start. Idempotent. */
  close(drainMs?: number): Promise<void>;
}

interface Started {
  readonly telemetry: Telemetry;
  readonly roles: RunningRole[];
  readonly ports: { port?: number; listenerPorts?: ListenerPorts; linkPort?: number };
}

async function startCoreWithEngines(options: RolesOptions, telemetry: Telemetry): Promise<RunningRole> {
  const { config, logger, onFailed, engines: shared } = options;
  const engines = await openEngines(config, logger, onFailed, shared);
  const core = await startCore({ settings: readMeshSettings(config), config, engines, logger, telemetry }).catch(
    async (error: unknown) => {
      await engines.close();
      throw error;
    },
  );
  return {
    ready: () => core.ready(),
    remark: () => core.remark?.(),
    drain: (within) => core.drain(within),
    async close() {
      await core.close();
      await engines.close();
    },
  };
}

/** The name of a role's links: a process of several roles has one for each. */
const nameOf = ({ roles, instanceId }: Config, role: string): string =>
  roles.length === 1 ? instanceId : `${instanceId}-${role}`;

/** Routes first, since all others wait for one; Login last, since clients come at once. */
async function startInto({ roles, ports, telemetry }: Started, options: RolesOptions): Promise<void> {
  const { config, logger, serveOther, engines } = options;
  const { directory, presence } = engines;
  const has = (role: Config["roles"][number]): boolean => config.roles.includes(role);
  if (has("envoy-control")) roles.push(startEnvoyControl(config, directory, logger));
  if (config.roles.length === 1 && has("envoy-control")) return;
  const settings = readMeshSettings(config);
  if (has("route")) {
    const route = await startRoute({ settings, config, directory, logger, telemetry });
    roles.push(route);
    ports.linkPort = route.linkPort;
  }
  const named = (role: string) => ({ ...settings, instanceId: nameOf(config, role) });
  if (coreRolesOf(config).size > 0) roles.push(await startCoreWithEngines(options, telemetry));
  if (has("online"))
    roles.push(await startOnline({ settings: named("online"), directory, presence, logger, telemetry }));
  if (has("login")) {
    const login = await startLogin({ settings: named("login"), config, directory, logger, serveOther, telemetry });
    roles.push(login);
    ports.port = login.port;
    ports.listenerPorts = login.listenerPorts;
  }
}

/** Starts the roles of the settings as one process of a mesh. When one cannot start, none stays. */
export async function startRoles(options: RolesOptions): Promise<RunningRoles> {
  const { config } = options;
  const telemetry = await openTelemetry({ config, instanceId: nameOf(config, "login"), hasRoute: true });
  const started: Started = { telemetry, roles: [], ports: {} };
  const close = async (drainMs: number): Promise<void> => {
    const roles = started.roles.toReversed();
    const signal = AbortSignal.timeout(drainMs);
    for (const role of roles) await role.drain({ signal });
    for (const role of roles) await role.close();
    await telemetry.close();
  };
  await startInto(started, options).catch(async (error: unknown) => {
    await close(0);
    throw error;
  });
  let closing: Promise<void> | undefined;
  return {
    ...started.ports,
    ready: () => closing === undefined && started.roles.every((role) => role.ready()),
    telemetry,
    remark: () => started.roles.map((role) => role.remark?.()).find((remark) => remark !== undefined),
    close(drainMs = 0) {
      closing ??= close(drainMs);
      return closing;
    },
  };
}
