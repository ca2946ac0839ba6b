import type { Server } from "node:http";
import { PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { DeliverySink } from "@chappe/mesh/rpc/delivery.ts";
import { createHttpEdge } from "../http-edge/http-edge.ts";
import { createLogin, type Login } from "../login/login.ts";
import { createLoginBackend } from "../login/login-backend.ts";
import { createOnline } from "../online/online.ts";
import { createSignallingWorker } from "../push-worker/signalling-worker.ts";
import type { Config } from "./config.ts";
import { createFailureSwitches, type FailureSwitches } from "./failure-switches.ts";
import { loginPolicyOf } from "./login-limits.ts";
import { type Engines, openEngines } from "./open-engines.ts";
import { type GrpcServices, openGrpcServices } from "./open-grpc-services.ts";
import { type ListenerPorts, type Listeners, openListeners } from "./open-listeners.ts";
import { openTelemetry, type Telemetry } from "./open-telemetry.ts";
import type { ServeOther } from "./serve-other.ts";
import { createShared, createTokens, type Modules, type Shared, startModules, type Tokens } from "./start-modules.ts";

/** A running Chappe with every role in this process. */
export interface Chappe {
  readonly port: number;
  readonly listenerPorts: ListenerPorts;
  readonly telemetry: Telemetry;
  /** In development mode alone. */
  readonly switches: FailureSwitches | undefined;
  stats(): Readonly<Record<string, unknown>>;
  ready(): boolean;
  /** What an operator must look at; undefined = nothing. */
  remark(): string | undefined;
  /** Drains clients for `drainMs`, then stops everything in order. Idempotent. */
  close(drainMs?: number): Promise<void>;
}

/** What startChappe needs. */
export interface StartOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Pages and other plain requests. */
  readonly serveOther: ServeOther;
  /** An engine has failed for good; the process should stop. */
  readonly onFailed: (error: ChappeError) => void;
}

const loginId = `login-${process.pid}`;

/** Login, Online and the worker between them, which know each other: presence events go out by way of Login. */
function createSignalling(
  { presence }: Engines,
  { route: router, validator, contracts, hops }: Shared,
  { verifier, resumeKey }: Tokens,
  config: Config,
  logger: Logger,
  switches: FailureSwitches | undefined,
) {
  const loginEpoch = Date.now();
  let sink: DeliverySink | undefined;
  const sinks = { sink: (id: string): DeliverySink | undefined => (id === loginId ? sink : undefined) };
  const online = createOnline({ presence, sinks, loginId, loginEpoch, logger });
  const common = {
    loginId,
    loginEpoch,
    verifier,
    registry: online,
    router,
    validator,
    contracts,
    resumeKey,
    logger,
    hops,
  };
  const openLogin = (server: Server): Login => {
    const login = createLogin({ ...common, server, ...loginPolicyOf(config) });
    sink = switches?.overSink(login) ?? login;
    return login;
  };
  return { openLogin, online, worker: createSignallingWorker(sinks, hops) };
}

/** What the doors need of the modules behind them. */
interface Doors {
  readonly tokens: Tokens;
  readonly validator: Shared["validator"];
  readonly hops: Shared["hops"];
  readonly openLogin: (server: Server) => Login;
  readonly grpcServices: GrpcServices;
}

/** The HTTP port with Login on it, and the other listeners; when one cannot be opened none stays open. */
async function openDoors(
  { tokens, validator, hops, openLogin, services, grpcServices }: Pick<Modules, "services"> & Doors,
  { config, logger, serveOther }: StartOptions,
  ready: () => boolean,
) {
  const { host, port, corsOrigins, extraHosts, trustedProxies } = config;
  const { verifier, jwks } = tokens;
  let listeners: Listeners | undefined;
  const serveFirst: Listeners["serve"] = (request, response) => listeners?.serve(request, response) ?? false;
  const common = {
    host,
    port,
    corsOrigins,
    extraHosts,
    trustedProxies,
    serveFirst,
    services,
    verifier,
    validator,
    logger,
    hops,
    ready,
  };
  const edge = await createHttpEdge({ ...common, serveOther: serveOther(jwks) });
  const login = openLogin(edge.server);
  try {
    listeners = await openListeners({ login, config, verifier, validator, addServices: grpcServices.addTo });
  } catch (error) {
    for (const part of [login, edge]) await part.close();
    throw error;
  }
  return { port: edge.port, listenerPorts: listeners.ports, login, parts: [login, listeners, edge] };
}

/** Opens the engines of the data directory and starts every role on them. */
export async function startChappe(options: StartOptions): Promise<Chappe> {
  const { config, logger, onFailed } = options;
  const opened = await openEngines(config, logger, onFailed);
  const switches = config.devMode ? createFailureSwitches() : undefined;
  const engines = switches === undefined ? opened : { ...opened, log: switches.overLog(opened.log) };
  const telemetry = await openTelemetry({ config, instanceId: loginId, hasRoute: false });
  telemetry.stores = engines;
  const shared = createShared(engines, telemetry);
  const tokens = await createTokens(engines);
  const { openLogin, online, worker } = createSignalling(engines, shared, tokens, config, logger, switches);
  const others = [{ service: PresenceService, impl: online.presenceService }];
  const started = await startModules(engines, { shared, tokens, config, logger, worker, others });
  const grpcServices = openGrpcServices(shared, tokens.verifier, config, logger);
  const parts = [grpcServices, ...started.parts, online];
  const { validator, hops } = shared;
  const modules = { ...started, parts, tokens, openLogin, grpcServices, validator, hops };
  let ready = true;
  const doors = await openDoors(modules, options, () => ready).catch(async (error: unknown) => {
    for (const part of [...modules.parts, engines]) await part.close();
    throw error;
  });
  const { login, port, listenerPorts } = doors;
  telemetry.ownerOf = login.ownerOf;
  telemetry.askClient = login.askClient;
  telemetry.stats.push(modules.stats, () => ({ login: login.stats(), route: shared.route.stats() }));
  await shared.route.attach(createLoginBackend({ login: () => login, validator: shared.validator }), loginId);
  const close = async (drainMs: number): Promise<void> => {
    ready = false;
    grpcServices.setReady(false);
    await login.drain({ signal: AbortSignal.timeout(drainMs) });
    for (const part of [...doors.parts, ...modules.parts]) await part.close();
    modules.tokens.verifier.close();
    await engines.close();
    await telemetry.close();
  };
  let closing: Promise<void> | undefined;
  return {
    port,
    listenerPorts,
    ready: () => ready,
    remark: modules.remark,
    telemetry,
    switches,
    stats: () => ({ login: login.stats(), ...modules.stats() }),
    close(drainMs = 0) {
      closing ??= close(drainMs);
      return closing;
    },
  };
}
