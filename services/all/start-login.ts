import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { createTokenVerifier } from "@chappe/mesh/auth/create-token-verifier.ts";
import { createRemoteTokenState } from "@chappe/mesh/auth/remote-token-state.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import { createLiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import { createRemoteSessionStore } from "@chappe/mesh/rpc/remote-session-store.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createEntryRouter } from "@chappe/mesh/telemetry/entry-router.ts";
import type { Server as GrpcServer } from "@grpc/grpc-js";
import { createGrpcEdge } from "../grpc-edge/grpc-edge.ts";
import { createHealth } from "../grpc-edge/health.ts";
import { forwardedServices } from "../http-edge/forwarded-services.ts";
import { createHttpEdge } from "../http-edge/http-edge.ts";
import { createLogin, type Login } from "../login/login.ts";
import { createLoginBackend } from "../login/login-backend.ts";
import { createSessionRegistry } from "../online/create-session-registry.ts";
import { announceDoors } from "./announce-doors.ts";
import type { Config } from "./config.ts";
import { loginPolicyOf } from "./login-limits.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import { type ListenerPorts, type Listeners, openListeners } from "./open-listeners.ts";
import type { Telemetry } from "./open-telemetry.ts";
import { openRouteLinks, type RouteLinks, routerOf } from "./route-links.ts";
import type { RunningRole } from "./running-role.ts";
import type { ServeOther } from "./serve-other.ts";
import { backendOf } from "./start-modules.ts";
import { createTraceLinks } from "./trace-links.ts";

/** What startLogin needs. */
export interface LoginRoleOptions {
  readonly settings: MeshSettings;
  readonly config: Config;
  readonly directory: Directory;
  readonly logger: Logger;
  readonly serveOther: ServeOther;
  readonly telemetry: Telemetry;
}

/** A Login process that runs. */
export interface LoginRole extends RunningRole {
  readonly port: number;
  readonly listenerPorts: ListenerPorts;
  stats(): Readonly<Record<string, unknown>>;
}

/** Links to the Routes, and what is known by way of them. */
async function openMesh(
  { settings, directory, logger, telemetry }: LoginRoleOptions,
  onLogin: () => Login | undefined,
) {
  const validator = createRequestValidator();
  const trace = telemetry.takeService();
  const backends = [createLoginBackend({ login: onLogin, validator })];
  if (trace !== undefined) backends.push(backendOf(trace, validator));
  const links = openRouteLinks({
    settings,
    directory,
    svids: backends.map(({ svid }) => svid),
    handler: routerOf(backends),
    onLost: () => onLogin()?.compareHeads(),
    logger,
  });
  try {
    await links.ready();
    telemetry.links ??= createTraceLinks(links.links);
    const tokenState = await createRemoteTokenState({ transport: links.transport, onMissed, logger });
    const verifier = createTokenVerifier(tokenState);
    return { links, tokenState, verifier };
    function onMissed(): void {
      verifier.forget();
      void onLogin()?.recheckSessions();
    }
  } catch (error) {
    await links.close();
    throw error;
  }
}

type Mesh = Awaited<ReturnType<typeof openMesh>>;

function createSessions({ settings, logger }: LoginRoleOptions, { transport }: RouteLinks) {
  const loginEpoch = Date.now();
  const loginId = settings.instanceId;
  const store = createRemoteSessionStore(transport);
  return { loginId, loginEpoch, registry: createSessionRegistry({ store, loginId, loginEpoch, logger }) };
}

/** The HTTP port with Login on it, and the other listeners. */
async function openDoors(options: LoginRoleOptions, mesh: Mesh, sessions: ReturnType<typeof createSessions>) {
  const { config, logger, serveOther, telemetry } = options;
  const { hops } = telemetry;
  const { links, tokenState, verifier } = mesh;
  const { host, port, corsOrigins, extraHosts, trustedProxies, sharesPorts: reusePort } = config;
  const { router } = links;
  const contracts = createLiveContracts(createContracts(), 0);
  const validator = createRequestValidator();
  const state: { ready: boolean; listeners?: Listeners } = { ready: true };
  const health = createHealth();
  const entry = createEntryRouter(router, hops);
  const grpc = createGrpcEdge({ contracts, router: entry, verifier, trustedProxies });
  const addServices = (to: GrpcServer): void => {
    for (const part of [grpc, health]) part.addTo(to);
  };
  const edge = await createHttpEdge({
    host,
    port,
    reusePort,
    corsOrigins,
    extraHosts,
    trustedProxies,
    serveFirst: (request, response) => state.listeners?.serve(request, response) ?? false,
    services: forwardedServices(contracts, entry, [EdgeService]),
    verifier,
    validator,
    logger,
    hops,
    ready: () => state.ready,
    serveOther: serveOther(tokenState.jwks),
  });
  const { server } = edge;
  const { resumeKey } = tokenState;
  const common = { ...sessions, verifier, router, validator, contracts, resumeKey, logger, hops };
  const login = createLogin({ ...common, server, ...loginPolicyOf(config) });
  try {
    state.listeners = await openListeners({ login, config, verifier, validator, addServices });
  } catch (error) {
    for (const part of [login, edge]) await part.close();
    throw error;
  }
  return { edge, login, listeners: state.listeners, state, health };
}

type Doors = Awaited<ReturnType<typeof openDoors>>;

/** Tells the Directory where clients come in. */
function announce({ settings, config, directory, logger }: LoginRoleOptions, { edge, listeners }: Doors) {
  const { advertiseHost, extraHosts } = config;
  const ports = { http: edge.port, ...listeners.ports };
  return announceDoors({ directory, instanceId: settings.instanceId, advertiseHost, extraHosts, ports, logger });
}

/** A Login process: long connections, and the API over HTTP, both by way of the Routes. */
export async function startLogin(options: LoginRoleOptions): Promise<LoginRole> {
  let login: Login | undefined;
  const mesh = await openMesh(options, () => login);
  const sessions = createSessions(options, mesh.links);
  const closeMesh = async (): Promise<void> => {
    await sessions.registry.close();
    mesh.tokenState.close();
    mesh.verifier.close();
    await mesh.links.close();
  };
  const doors = await openDoors(options, mesh, sessions).catch(async (error: unknown) => {
    await closeMesh();
    throw error;
  });
  login = doors.login;
  const leave = await announce(options, doors).catch(async (error: unknown) => {
    for (const part of [doors.login, doors.listeners, doors.edge]) await part.close();
    await closeMesh();
    throw error;
  });
  options.telemetry.ownerOf = doors.login.ownerOf;
  options.telemetry.askClient = doors.login.askClient;
  options.telemetry.stats.push(() => ({ login: doors.login.stats() }));
  return {
    port: doors.edge.port,
    listenerPorts: doors.listeners.ports,
    stats: () => ({ login: doors.login.stats() }),
    ready: () => doors.state.ready && mesh.links.isOpen(),
    async drain({ signal }) {
      // First: whoever is told where to come back to finds another process.
      await leave();
      doors.health.setReady(false);
      doors.state.ready = false;
      await doors.login.drain({ signal });
    },
    async close() {
      await leave();
      doors.state.ready = false;
      for (const part of [doors.login, doors.listeners, doors.edge]) await part.close();
      await closeMesh();
    },
  };
}
