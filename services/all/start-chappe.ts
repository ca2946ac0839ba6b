import { randomBytes } from "node:crypto";
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
import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import type { DeliverySink } from "@chappe/mesh/rpc/delivery.ts";
import { createRouteTransport } from "@chappe/mesh/rpc/route-transport.ts";
import { createServiceBackend } from "@chappe/mesh/rpc/service-backend.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createAuth } from "../auth/auth.ts";
import { createPasswordHasher } from "../auth/password-hasher.ts";
import { createGroups } from "../groups/groups.ts";
import { createHttpEdge } from "../http-edge/http-edge.ts";
import { createLogin } from "../login-ws/login.ts";
import { createMsgProxy } from "../msg-proxy/msg-proxy.ts";
import { createMsgReader } from "../msg-reader/msg-reader.ts";
import { createMsgWriter } from "../msg-writer/msg-writer.ts";
import { createOnline } from "../online/online.ts";
import { createPushProxy } from "../push-proxy/push-proxy.ts";
import { createPushServer } from "../push-server/push-server.ts";
import { createSignallingWorker } from "../push-worker/signalling-worker.ts";
import { createRoute } from "../route/create-route.ts";
import { createSync } from "../sync/sync.ts";
import { createUsers } from "../users/users.ts";
import type { Config } from "./config.ts";
import { openEngines } from "./open-engines.ts";
import type { ServeOther } from "./serve-other.ts";

/** A running Chappe with every role in this process. */
export interface Chappe {
  readonly port: number;
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

/** Opens the engines of the data directory and starts every role on them. */
export async function startChappe({ config, logger, serveOther, onFailed }: StartOptions): Promise<Chappe> {
  const engines = await openEngines(config, logger, onFailed);
  const { log, store, business, presence, directory } = engines;
  const contracts = createContracts();
  const validator = createRequestValidator();
  const membership = createMembershipViews({ store });
  const route = createRoute({ contracts, directory });
  const transport = createRouteTransport(route);

  const key = await loadSigningKey(business);
  const refreshKey = await business.secret("refresh-token-hmac", async () => new Uint8Array(randomBytes(32)));
  const feed = createMemoryRevocationFeed(business);
  const verifier = createTokenVerifier({ keyOf: (kid) => (kid === key.kid ? key.publicKey : undefined), feed });

  const loginId = `login-${process.pid}`;
  const loginEpoch = Date.now();
  const sinks = { sink: (id: string): DeliverySink | undefined => (id === loginId ? login : undefined) };
  const online = createOnline({ presence, sinks, loginId, loginEpoch, logger });
  const login = createLogin({ loginId, loginEpoch, verifier, registry: online, router: route, validator });

  const worker = createSignallingWorker(sinks);
  const pushServer = createPushServer({ log, presence, membership, worker, logger });
  const { sendsPerSecondPerUser } = config;
  const proxy = createMsgProxy({ log, store, users: business, membership, validator, sendsPerSecondPerUser });
  const reader = createMsgReader({ store, membership, validator });
  const hasher = createPasswordHasher({ memoryKib: config.argon2MemoryKib, passes: config.argon2Passes });
  const attempts = { burst: config.authAttemptBurst, refillMs: 3_000 };
  const auth = createAuth({ store: business, signer: createTokenSigner({ key }), feed, hasher, attempts, refreshKey });
  const groups = createGroups({ store, business, membership, transport });
  const sync = createSync({ store, business, membership, transport });
  const services = [
    { service: AuthService, impl: auth },
    { service: UserService, impl: createUsers(business) },
    { service: GroupService, impl: groups },
    { service: SyncService, impl: sync.impl },
    { service: PresenceService, impl: online.presenceService },
  ];
  for (const { service, impl } of services) await route.attach(createServiceBackend(service, impl, { validator }));
  await route.attach(createPushProxy({ log, contracts, intake: pushServer, validator }));
  await route.attach(proxy.backend);
  await route.attach(reader.backend);

  const writer = await createMsgWriter({ log, store, logger });
  await pushServer.start();
  let ready = true;
  const jwks = { keys: [key.publicJwk] };
  const edge = await createHttpEdge({
    host: config.host,
    port: config.port,
    services: [
      ...services,
      { service: MessageService, impl: proxy.impl },
      { service: HistoryService, impl: reader.impl },
    ],
    verifier,
    validator,
    logger,
    serveOther: serveOther(jwks),
    ready: () => ready,
  }).catch(async (error: unknown) => {
    await writer.close();
    await pushServer.close();
    await engines.close();
    throw error;
  });
  login.attach(edge.server);

  let closing: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    ready = false;
    await login.drain(drainMs);
    await edge.close();
    await login.close();
    await route.close();
    await writer.close();
    await pushServer.close();
    await sync.close();
    await online.close();
    verifier.close();
    await engines.close();
  };
  return {
    port: edge.port,
    stats: () => ({
      login: login.stats(),
      writer: writer.stats(),
      push: pushServer.stats(),
      waiting: proxy.waitingMessages(),
    }),
    close(drainMs = 0) {
      closing ??= close(drainMs);
      return closing;
    },
  };
}
