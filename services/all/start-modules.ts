import { randomBytes } from "node:crypto";
import { AuthService } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { TokenStateService } from "@chappe/gen/proto/chappe/business/v1/token_state_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { HistoryService, MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { createTokenVerifier } from "@chappe/mesh/auth/create-token-verifier.ts";
import { createMemoryRevocationFeed } from "@chappe/mesh/auth/revocation-feed.ts";
import { loadSigningKey } from "@chappe/mesh/auth/signing-key.ts";
import { createTokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { type Logger, silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { Backend, Router } from "@chappe/mesh/rpc/call.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import { createLiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import { createRemoteLogins } from "@chappe/mesh/rpc/remote-logins.ts";
import { createRouteTransport } from "@chappe/mesh/rpc/route-transport.ts";
import { createServiceBackend } from "@chappe/mesh/rpc/service-backend.ts";
import { createRequestValidator, type RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { createArchiver } from "../archiver/archiver.ts";
import { createAuth } from "../auth/auth.ts";
import { createPasswordHasher } from "../auth/password-hasher.ts";
import { createRevocationList, type RevocationList } from "../auth/revocation-list.ts";
import { createTokenState } from "../auth/token-state.ts";
import { type ChangeEvents, createChangeEvents } from "../changes/change-events.ts";
import { createOutboxRelay, type OutboxRelay } from "../changes/outbox-relay.ts";
import { createGroups } from "../groups/groups.ts";
import type { EdgeService } from "../http-edge/rpc-handler.ts";
import { createMsgProxy } from "../msg-proxy/msg-proxy.ts";
import { createMsgReader } from "../msg-reader/msg-reader.ts";
import { createMsgWriter } from "../msg-writer/msg-writer.ts";
import { startSendExpiry } from "../msg-writer/send-expiry.ts";
import { createPushProxy } from "../push-proxy/push-proxy.ts";
import { createPushServer } from "../push-server/push-server.ts";
import type { SignallingWorker } from "../push-worker/signalling-worker.ts";
import { startReconcileJob } from "../reconcile/start-reconcile-job.ts";
import { createRoute } from "../route/create-route.ts";
import { createSync } from "../sync/sync.ts";
import { createUsers } from "../users/users.ts";
import { type Config, type CoreRole, coreRoles } from "./config.ts";
import { createNearRouter } from "./create-near-router.ts";
import type { Engines } from "./open-engines.ts";

/** Something with an end. */
export type Part = { close(): Promise<void> };

/** What all modules of a process share. */
export type Shared = ReturnType<typeof createShared>;

/** Keys, tokens and the feed of what ended. */
export type Tokens = Awaited<ReturnType<typeof createTokens>>;

/** The modules behind the doors. */
export type Modules = Awaited<ReturnType<typeof startModules>>;

/** Keys, tokens and their end. */
export async function createTokens({ business }: Engines) {
  const key = await loadSigningKey(business);
  const refreshKey = await business.secret("refresh-token-hmac", async () => new Uint8Array(randomBytes(32)));
  const resumeKey = await business.secret("resume-token-hmac", async () => new Uint8Array(randomBytes(32)));
  const feed = createMemoryRevocationFeed(business);
  const verifier = createTokenVerifier({ keyOf: (kid) => (kid === key.kid ? key.publicKey : undefined), feed });
  return { signer: createTokenSigner({ key }), jwks: { keys: [key.publicJwk] }, refreshKey, resumeKey, feed, verifier };
}

/** Contracts, Route and membership of a process with stores; `elsewhere` takes calls that its own Route has nobody for. */
export function createShared(
  { store, directory }: Pick<Engines, "store" | "directory">,
  { elsewhere, hops = noHops }: { readonly elsewhere?: Router; readonly hops?: Hops } = {},
) {
  const contracts = createLiveContracts(createContracts(), limits.maxLiveServices);
  const route = createRoute({ contracts, directory, hops: elsewhere === undefined ? hops : noHops });
  const router: Router = elsewhere === undefined ? route : createNearRouter(route, elsewhere);
  const membership = createMembershipViews({ store });
  const transport = createRouteTransport(router);
  return { contracts, route, router, membership, transport, validator: createRequestValidator(), hops };
}

/** What a business process has for changes besides the services that make them. */
interface Changes {
  readonly relay: OutboxRelay;
  readonly events: ChangeEvents;
}

function createChanges({ log, store, business }: Engines, { shared, logger }: ModulesOptions): Changes {
  const { transport } = shared;
  return {
    relay: createOutboxRelay({ store: business, log, logger }),
    events: createChangeEvents({ log, store, transport, logger }),
  };
}

/** Each process reads all revocations. */
function createRevocations({ log }: Engines, { tokens, logger }: ModulesOptions): RevocationList {
  return createRevocationList({ log, onRevocation: (revocation) => tokens.feed.publish(revocation), logger });
}

function createBusiness(
  { store, business }: Engines,
  options: ModulesOptions,
  list: RevocationList,
  relay: OutboxRelay,
) {
  const { shared, tokens, config } = options;
  const { membership, transport } = shared;
  const hasher = createPasswordHasher({ memoryKib: config.argon2MemoryKib, passes: config.argon2Passes });
  const { authAttemptBurst: attemptBurst } = config;
  const onChange = (): void => relay.wake();
  const auth = createAuth({ ...tokens, store: business, hasher, onChange, ...(attemptBurst && { attemptBurst }) });
  const sync = createSync({ store, business, membership, transport });
  const services: EdgeService[] = [
    { service: AuthService, impl: auth },
    { service: UserService, impl: createUsers({ store: business, onChange }) },
    { service: GroupService, impl: createGroups({ store, business, membership, transport, onChange }) },
    { service: SyncService, impl: sync.impl },
    { service: TokenStateService, impl: createTokenState({ ...tokens, list }) },
  ];
  return { sync, services };
}

/** An implementation as the backend of its SVID. */
export const backendOf = (
  { service, impl }: EdgeService,
  validator: RequestValidator,
  logger: Logger = silentLogger,
): Backend =>
  createServiceBackend(service, impl as ServiceImpl<typeof service>, {
    validator,
    onInternalError: (error, method) => logger.error("call.internal", { method, error }),
  });

/** The same backend; what is written to the log while it serves a sampled call names the call's trace. */
function tracedInLog(backend: Backend, logger: Logger): Backend {
  return {
    svid: backend.svid,
    handle(call) {
      if (call.traceContext.length === 0) return backend.handle(call);
      return logger.within(call.traceContext, () => backend.handle(call));
    },
  };
}

/**
 * MsgWriter and its housekeeping. Nothing is served before what was on the log is committed, unless that cannot be for
 * now (a full disk): then reads are better than nothing, and show less than before until there is room.
 */
async function startWriting({ log, store, window }: Engines, logger: Logger, hops: Hops) {
  const writer = await createMsgWriter({ log, store, window, logger, hops });
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

/** What startModules needs besides the engines. */
export interface ModulesOptions {
  readonly shared: Shared;
  readonly tokens: Tokens;
  readonly config: Config;
  readonly logger: Logger;
  /** Takes events to Login processes. */
  readonly worker: SignallingWorker;
  /** Services of other modules in this process. */
  readonly others: readonly EdgeService[];
  /** Which modules. @default all */
  readonly roles?: ReadonlySet<CoreRole>;
}

/** What modules add to a process: services for doors, backends for Routes, figures, and their ends. */
class ModuleList {
  readonly services: EdgeService[] = [];
  readonly backends: Backend[] = [];
  readonly stats: Record<string, () => unknown> = {};
  /** Closed before the Route is: waiting calls are answered. */
  readonly endings: Part[] = [];
  /** Closed after it, in order. */
  readonly parts: Part[] = [];
  readonly starts: (() => Promise<void>)[] = [];
  /** What an operator must look at; undefined = nothing. */
  remark: () => string | undefined = () => undefined;
}

function addBusiness(list: ModuleList, engines: Engines, options: ModulesOptions): void {
  const { relay, events } = createChanges(engines, options);
  const revocations = createRevocations(engines, options);
  const { sync, services } = createBusiness(engines, options, revocations, relay);
  list.services.push(...services);
  list.backends.push(...services.map((one) => backendOf(one, options.shared.validator, options.logger)));
  list.stats.outbox = () => relay.stats();
  list.starts.push(
    () => revocations.start(),
    () => events.start(),
  );
  list.endings.push(revocations, events);
  list.parts.push(sync, relay);
}

function addMsgProxy(list: ModuleList, { log, store, business }: Engines, { shared, config }: ModulesOptions): void {
  const { membership, validator, hops } = shared;
  const { sendsPerSecondPerUser } = config;
  const proxy = createMsgProxy({ log, store, users: business, membership, validator, sendsPerSecondPerUser, hops });
  list.services.push({ service: MessageService, impl: proxy.impl });
  list.backends.push(proxy.backend);
  list.stats.waiting = () => proxy.waitingMessages();
}

function addMsgReader(list: ModuleList, { store, window, history }: Engines, { shared }: ModulesOptions): void {
  const { membership, validator } = shared;
  const reader = createMsgReader({ store, window, history, membership, validator });
  list.stats.reader = () => reader.stats();
  list.services.push({ service: HistoryService, impl: reader.impl });
  list.backends.push(reader.backend);
}

function remarkOf(stopped: readonly { partition: number; offset: number }[]): string | undefined {
  if (stopped.length === 0) return undefined;
  const places = stopped.map(({ partition, offset }) => `${partition} at offset ${offset}`).join(", ");
  return `damaged records stop partitions of the message log: ${places}`;
}

function addMsgWriter(list: ModuleList, engines: Engines, { config, logger, shared }: ModulesOptions): void {
  const isShared = config.kafkaBrokers.length > 0;
  const { reconcileIntervalMs: intervalMs = isShared ? limits.reconcileIntervalMs : 0 } = config;
  list.starts.push(async () => {
    const { writer, expiry } = await startWriting(engines, logger, shared.hops);
    list.stats.writer = () => writer.stats();
    list.remark = () => remarkOf(writer.stats().stopped);
    list.parts.unshift(expiry, writer);
    if (intervalMs === 0) return;
    const job = startReconcileJob({ ...engines, logger, intervalMs });
    list.stats.reconcile = () => job.stats();
    list.parts.unshift(job);
  });
}

/** Without an HBase there is nothing to do: the store keeps every day. */
function addArchiver(list: ModuleList, { archive, history }: Engines, { config, logger }: ModulesOptions): void {
  if (archive === undefined || history === undefined) return;
  const { archiveAfterDays: afterDays, archiveGraceMs: graceMs } = config;
  list.starts.push(async () => {
    const archiver = createArchiver({ source: archive, history, logger, afterDays, graceMs });
    list.stats.archive = () => archiver.stats();
    list.parts.unshift(archiver);
  });
}

function addPush(list: ModuleList, { log, presence }: Engines, { shared, worker, logger }: ModulesOptions): void {
  const { contracts, membership, validator, router, hops } = shared;
  const pushServer = createPushServer({ log, presence, membership, worker, logger, hops });
  const logins = createRemoteLogins(router);
  list.backends.push(createPushProxy({ log, contracts, intake: pushServer, validator, presence, logins }));
  list.stats.push = () => pushServer.stats();
  list.starts.push(() => pushServer.start());
  list.parts.push(pushServer);
}

const addRole = {
  "msg-writer": addMsgWriter,
  push: addPush,
  business: addBusiness,
  "msg-proxy": addMsgProxy,
  "msg-reader": addMsgReader,
  archiver: addArchiver,
} as const satisfies Record<CoreRole, unknown>;

/** Messages, push and business, or some of them, running and attached to the Route of this process. */
export async function startModules(engines: Engines, options: ModulesOptions) {
  const { shared, others, roles = new Set(coreRoles) } = options;
  const list = new ModuleList();
  for (const role of coreRoles) if (roles.has(role)) addRole[role](list, engines, options);
  list.services.push(...others);
  list.backends.push(...others.map((one) => backendOf(one, shared.validator, options.logger)));
  for (const backend of list.backends) await shared.route.attach(tracedInLog(backend, options.logger));
  for (const start of list.starts) await start();
  const stats = () => Object.fromEntries(Object.entries(list.stats).map(([name, read]) => [name, read()]));
  const { services, backends, endings, parts } = list;
  const svids = backends.map(({ svid }) => svid);
  const remark = () => list.remark();
  return { services, svids, stats, remark, parts: [...endings, shared.route, ...parts] };
}
