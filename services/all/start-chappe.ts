import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import { AuthService } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { HistoryService, MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { PresenceService } from "@chappe/gen/proto/chappe/online/v1/presence_service_pb.ts";
import { createTokenVerifier } from "@chappe/mesh/auth/create-token-verifier.ts";
import { createMemoryRevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import { loadSigningKey } from "@chappe/mesh/auth/signing-key.ts";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import type { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { Backend } from "@chappe/mesh/rpc/call.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import type { DeliverySink } from "@chappe/mesh/rpc/delivery.ts";
import { createRouteTransport } from "@chappe/mesh/rpc/route-transport.ts";
import { createServiceBackend } from "@chappe/mesh/rpc/service-backend.ts";
import { createRequestValidator, type RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { createAuth } from "../auth/auth.ts";
import { createPasswordHasher } from "../auth/password-hasher.ts";
import { createGroups } from "../groups/groups.ts";
import { createHttpEdge } from "../http-edge/http-edge.ts";
import type { EdgeService } from "../http-edge/rpc-handler.ts";
import { createLogin, type Login } from "../login/login.ts";
import type { LoginLimits } from "../login/login-options.ts";
import { createMsgProxy } from "../msg-proxy/msg-proxy.ts";
import { createMsgReader } from "../msg-reader/msg-reader.ts";
import { createMsgWriter } from "../msg-writer/msg-writer.ts";
import { startSendExpiry } from "../msg-writer/send-expiry.ts";
import { createOnline } from "../online/online.ts";
import { createPushProxy } from "../push-proxy/push-proxy.ts";
import { createPushServer } from "../push-server/push-server.ts";
import { createSignallingWorker } from "../push-worker/signalling-worker.ts";
import { createRoute } from "../route/create-route.ts";
import { createSync } from "../sync/sync.ts";
import { createUsers } from "../users/users.ts";
import type { Config } from "./config.ts";
import { type Engines, openEngines } from "./open-engines.ts";
import { type ListenerPorts, type Listeners, openListeners } from "./open-listeners.ts";
import type { ServeOther } from "./serve-other.ts";

/** A running Chappe with every role in this process. */
export interface Chappe {
  readonly port: number;
  readonly listenerPorts: ListenerPorts;
  stats(): Readonly<Record<string, unknown>>;
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

/** Keys, tokens and their end. */
async function createTokens({ business }: Engines) {
  const key = await loadSigningKey(business);
  const refreshKey = await business.secret("refresh-token-hmac", async () => new Uint8Array(randomBytes(32)));
  const resumeKey = await business.secret("resume-token-hmac", async () => new Uint8Array(randomBytes(32)));
  const feed = createMemoryRevocationFeed(business);
  const verifier = createTokenVerifier({ keyOf: (kid) => (kid === key.kid ? key.publicKey : undefined), feed });
  return { signer: createTokenSigner({ key }), jwks: { keys: [key.publicJwk] }, refreshKey, resumeKey, feed, verifier };
}

function loginLimitsOf({
  connectionsPerAddress,
  connectsPerSecondPerAddress: perSecond,
}: Config): Partial<LoginLimits> {
  return {
    ...(connectionsPerAddress && {
      maxConnectionsPerAddress: connectionsPerAddress,
      maxUnauthenticatedPerAddress: connectionsPerAddress,
    }),
    ...(perSecond && { connectsPerSecondPerAddress: perSecond, connectBurstPerAddress: perSecond }),
  };
}

/** Login, Online and the worker between them, which know each other: presence events go out by way of Login. */
function createSignalling(
  { presence }: Engines,
  { route: router, validator, contracts }: Shared,
  { verifier, resumeKey }: Tokens,
  config: Config,
  logger: Logger,
) {
  const loginId = `login-${process.pid}`;
  const loginEpoch = Date.now();
  let login: Login | undefined;
  const sinks = { sink: (id: string): DeliverySink | undefined => (id === loginId ? login : undefined) };
  const online = createOnline({ presence, sinks, loginId, loginEpoch, logger });
  const common = { loginId, loginEpoch, verifier, registry: online, router, validator, contracts, resumeKey, logger };
  const openLogin = (server: Server): Login => {
    login = createLogin({ ...common, server, limits: loginLimitsOf(config) });
    return login;
  };
  return { openLogin, online, worker: createSignallingWorker(sinks) };
}

function createShared({ store, directory }: Engines) {
  const contracts = createContracts();
  const route = createRoute({ contracts, directory });
  const membership = createMembershipViews({ store });
  return { contracts, route, membership, transport: createRouteTransport(route), validator: createRequestValidator() };
}

type Part = { close(): Promise<void> };
type Shared = ReturnType<typeof createShared>;
type Tokens = Awaited<ReturnType<typeof createTokens>>;

function createBusiness(
  { store, business }: Engines,
  { membership, transport }: Shared,
  tokens: Tokens,
  config: Config,
) {
  const hasher = createPasswordHasher({ memoryKib: config.argon2MemoryKib, passes: config.argon2Passes });
  const { authAttemptBurst: attemptBurst } = config;
  const auth = createAuth({ ...tokens, store: business, hasher, ...(attemptBurst && { attemptBurst }) });
  const sync = createSync({ store, business, membership, transport });
  const services: EdgeService[] = [
    { service: AuthService, impl: auth },
    { service: UserService, impl: createUsers(business) },
    { service: GroupService, impl: createGroups({ store, business, membership, transport }) },
    { service: SyncService, impl: sync.impl },
  ];
  return { sync, services };
}

const backendOf = ({ service, impl }: EdgeService, validator: RequestValidator): Backend =>
  createServiceBackend(service, impl as ServiceImpl<typeof service>, { validator });

/**
 * MsgWriter and its housekeeping. Nothing is served before what was on the log is committed, unless that cannot be for
 * now (a full disk): then reads are better than nothing, and show less than before until there is room.
 */
async function startWriting({ log, store }: Engines, logger: Logger) {
  const writer = await createMsgWriter({ log, store, logger });
  const late = new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      logger.warn("msg-writer.replay-late", { lag: writer.stats().lag });
      resolve();
    }, limits.replayWaitMs);
    void writer.replayed.then(() => clearTimeout(timer));
  });
  await Promise.race([writer.replayed, late]);
  return { writer, expiry: startSendExpiry({ store, logger }) };
}

/** Every module behind the doors, running. */
async function startModules(engines: Engines, config: Config, logger: Logger) {
  const { log, store, business, presence } = engines;
  const shared = createShared(engines);
  const { route, contracts, membership, validator } = shared;
  const tokens = await createTokens(engines);
  const { openLogin, online, worker } = createSignalling(engines, shared, tokens, config, logger);
  const { sync, services } = createBusiness(engines, shared, tokens, config);
  services.push({ service: PresenceService, impl: online.presenceService });
  const pushServer = createPushServer({ log, presence, membership, worker, logger });
  const { sendsPerSecondPerUser } = config;
  const proxy = createMsgProxy({ log, store, users: business, membership, validator, sendsPerSecondPerUser });
  const reader = createMsgReader({ store, membership, validator });
  const pushProxy = createPushProxy({ log, contracts, intake: pushServer, validator });
  for (const backend of [...services.map((one) => backendOf(one, validator)), pushProxy, proxy.backend, reader.backend])
    await route.attach(backend);
  services.push({ service: MessageService, impl: proxy.impl }, { service: HistoryService, impl: reader.impl });
  const { writer, expiry } = await startWriting(engines, logger);
  await pushServer.start();
  const stats = () => ({ writer: writer.stats(), push: pushServer.stats(), waiting: proxy.waitingMessages() });
  const parts: Part[] = [route, expiry, writer, pushServer, sync, online];
  return { tokens, validator, openLogin, services, stats, parts };
}

/** The HTTP port with Login on it, and the other listeners; when one cannot be opened none stays open. */
async function openDoors(
  { tokens, validator, openLogin, services }: Modules,
  { config, logger, serveOther }: StartOptions,
  ready: () => boolean,
) {
  const { host, port, corsOrigins } = config;
  const { verifier, jwks } = tokens;
  let listeners: Listeners | undefined;
  const serveFirst: Listeners["serve"] = (request, response) => listeners?.serve(request, response) ?? false;
  const common = { host, port, corsOrigins, serveFirst, services, verifier, validator, logger, ready };
  const edge = await createHttpEdge({ ...common, serveOther: serveOther(jwks) });
  const login = openLogin(edge.server);
  try {
    listeners = await openListeners({ login, config, verifier, validator });
  } catch (error) {
    for (const part of [login, edge]) await part.close();
    throw error;
  }
  return { port: edge.port, listenerPorts: listeners.ports, login, parts: [login, listeners, edge] };
}

type Modules = Awaited<ReturnType<typeof startModules>>;

/** Opens the engines of the data directory and starts every role on them. */
export async function startChappe(options: StartOptions): Promise<Chappe> {
  const { config, logger, onFailed } = options;
  const engines = await openEngines(config, logger, onFailed);
  const modules = await startModules(engines, config, logger);
  let ready = true;
  const doors = await openDoors(modules, options, () => ready).catch(async (error: unknown) => {
    for (const part of [...modules.parts, engines]) await part.close();
    throw error;
  });
  const { login, port, listenerPorts } = doors;
  const close = async (drainMs: number): Promise<void> => {
    ready = false;
    await login.drain({ signal: AbortSignal.timeout(drainMs) });
    for (const part of [...doors.parts, ...modules.parts]) await part.close();
    modules.tokens.verifier.close();
    await engines.close();
  };
  let closing: Promise<void> | undefined;
  return {
    port,
    listenerPorts,
    stats: () => ({ login: login.stats(), ...modules.stats() }),
    close(drainMs = 0) {
      closing ??= close(drainMs);
      return closing;
    },
  };
}
