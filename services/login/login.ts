import { randomInt } from "node:crypto";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits as defaultLimits } from "@chappe/mesh/limits.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import type { Delivery, DeliverySink } from "@chappe/mesh/rpc/delivery.ts";
import { createRemoteLogins } from "@chappe/mesh/rpc/remote-logins.ts";
import { createTrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import { noHops } from "@chappe/mesh/telemetry/hops.ts";
import type { AskClient } from "@chappe/mesh/telemetry/span-maker.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { createAddressLimits } from "./address-limits.ts";
import { DevicePolicy } from "./device-policy.ts";
import type { LoginDoor } from "./login-door.ts";
import type { LoginLimits, LoginOptions } from "./login-options.ts";
import { createLoginStats, type LoginStats } from "./login-stats.ts";
import { Outbox } from "./outbox.ts";
import { Receipts } from "./receipts.ts";
import { createResumeTokens } from "./resume-token.ts";
import { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";
import { createSessionControl, type SessionControl } from "./session-control.ts";
import { SessionIndex } from "./session-index.ts";
import { drainPacket, pushPacket } from "./session-packets.ts";
import { SharedPacket } from "./transport.ts";
import { acceptWebSockets } from "./web-socket/web-socket-acceptor.ts";

/** The tier of long connections. */
export interface Login extends DeliverySink, LoginDoor {
  /** What other processes of the mesh may have done to sessions here. */
  readonly control: SessionControl;
  /** Who an open connection belongs to. */
  ownerOf(connectionId: bigint): { readonly userId: bigint; readonly deviceId: bigint } | undefined;
  /** Asks the client of a connection for its span of a message it sent; false = the connection is not open here. */
  readonly askClient: AskClient;
  /** Tells every client to compare heads: pushes may have been lost on their way to this process. */
  compareHeads(): void;
  /** Asks for the state of every session and ends those that have ended. For when revocations may have been missed. */
  recheckSessions(): Promise<void>;
  /** Counters since the start. */
  stats(): Readonly<LoginStats>;
  /**
   * Stops accepting, tells all clients when to come back, and closes them with 1001 after limits.drainWindowMs or when
   * `signal` aborts.
   */
  drain(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Closes all connections now; settles when the sockets are closed, at the latest after limits.closeTimeoutMs. */
  close(): Promise<void>;
}

function createContext(options: LoginOptions, limits: LoginLimits, onIdle: () => void): SessionContext {
  const { loginId, loginEpoch, verifier, registry, router, validator } = options;
  const wheel = options.wheel ?? new TimerWheel();
  const stats = createLoginStats();
  const singleDeviceClasses = new Set(options.singleDeviceClasses ?? []);
  const sessions = new SessionIndex(loginEpoch);
  const logger = options.logger ?? silentLogger;
  const logins = createRemoteLogins(router);
  return {
    loginId,
    loginEpoch,
    limits,
    verifier,
    registry,
    router,
    validator,
    contracts: options.contracts ?? createContracts(),
    resumeTokens: createResumeTokens(options.resumeKey),
    singleDeviceClasses,
    sessions,
    devicePolicy: new DevicePolicy({ loginId, limits, singleDeviceClasses, sessions, logins, logger }),
    receipts: new Receipts(router, wheel, limits, stats),
    outbox: new Outbox(),
    wheel,
    stats,
    logger,
    hops: options.hops ?? noHops,
    onConnectionClosed(kind) {
      stats.connectionsBy[kind]--;
      if (--stats.connections === 0) onIdle();
    },
  };
}

/** Encodes the event once, gives it to each connection, and adds those that are not here to `gone`. */
function deliverOne(context: SessionContext, delivery: Delivery, nowMs: number, gone: bigint[]): void {
  const { sessions, stats, hops } = context;
  const { connectionIds, conversationId, lastSeq } = delivery;
  const goneBefore = gone.length;
  const key = conversationId === undefined || lastSeq === undefined ? undefined : conversationKey(conversationId);
  const packet = pushPacket(delivery.svid, delivery.cmd, delivery.payload, hops.pushContext(delivery));
  const shared = new SharedPacket(packet, key !== undefined);
  stats.pushes += connectionIds.length;
  for (const connectionId of connectionIds) {
    const session = sessions.ofConnection(connectionId);
    if (session === undefined || !session.push(shared)) {
      gone.push(connectionId);
      stats.pushesGone++;
    } else if (key !== undefined) {
      session.raise(key, lastSeq!, nowMs);
    }
  }
  if (key !== undefined) hops.delivered(delivery, gone.length - goneBefore);
}

function drainWindow(windowMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, signal?.aborted === true ? 0 : windowMs);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** The way in for all transports. */
function createDoor(context: SessionContext, isAccepting: () => boolean): Pick<LoginDoor, "admit" | "openSession"> {
  const { stats, limits, wheel } = context;
  const addresses = createAddressLimits(limits, wheel.now);
  return {
    openSession(transport, ticket) {
      stats.accepted++;
      stats.connections++;
      stats.connectionsBy[transport.kind]++;
      return new Session(context, transport, ticket);
    },
    admit(address) {
      const accepting = isAccepting();
      // Closing connections still hold their memory, so the gauge counts and not the index.
      const admitted =
        accepting && stats.connections < limits.maxConnections ? addresses.enter(address) : refusalOf(accepting);
      if (admitted instanceof ChappeError) stats.refused++;
      return admitted;
    },
  };
}

function refusalOf(accepting: boolean): ChappeError {
  return accepting
    ? new ChappeError("OVERLOADED", "The server has too many connections.")
    : new ChappeError("UNAVAILABLE", "The server is going down.");
}

function followRevocations({ verifier, sessions }: SessionContext): () => void {
  return verifier.onRevoked((revocation) => {
    for (const session of sessions.revoked(revocation)) session.kick("SESSION_REVOKED");
  });
}

function compareHeads(sessions: SessionIndex): void {
  for (const session of sessions.all()) if (session.isOpen) session.hint(session.tail?.unacked() ?? [], true);
}

function askClient(sessions: SessionIndex, connectionId: bigint, clientMessageId: Uint8Array): boolean {
  const session = sessions.ofConnection(connectionId);
  if (session?.isOpen !== true) return false;
  session.askSpan(clientMessageId);
  return true;
}

/** A state that cannot be had now is left for the next heartbeat of a new token to find out. */
async function recheckSessions({ sessions, verifier, limits }: SessionContext): Promise<void> {
  const open = sessions.all().filter((session) => session.isOpen);
  const recheck = async (): Promise<void> => {
    for (let session = open.pop(); session !== undefined; session = open.pop()) {
      const ended = await verifier.checkStored(session.claims!).then(
        () => false,
        (error: unknown) => ChappeError.is(error, "SESSION_REVOKED"),
      );
      if (ended) session.kick("SESSION_REVOKED");
    }
  };
  await Promise.all(Array.from({ length: limits.maxSessionRechecks }, recheck));
}

/** Login of one process: takes the WebSocket upgrades of `options.server` from now on. */
export function createLogin(options: LoginOptions): Login {
  const limits: LoginLimits = Object.freeze({ ...defaultLimits, ...options.limits });
  let onIdle = (): void => undefined;
  const context = createContext(options, limits, () => onIdle());
  const { sessions, stats, outbox, receipts } = context;
  let accepting = true;
  const door = createDoor(context, () => accepting);
  const stopRevocations = followRevocations(context);
  const stopAccepting = acceptWebSockets({
    server: options.server,
    limits,
    allowedOrigins: options.allowedOrigins ?? [],
    proxies: createTrustedProxies(options.trustedProxies ?? []),
    ...door,
    onRefused: () => void stats.refused++,
  });
  const closeAll = (): void => {
    for (const session of sessions.all()) session.end("GOING_AWAY");
  };

  return {
    limits,
    wheel: context.wheel,
    ...door,
    control: createSessionControl(context),
    stats: () => ({ ...stats, connectionsBy: { ...stats.connectionsBy }, closes: { ...stats.closes } }),
    async deliver(deliveries) {
      const gone: bigint[] = [];
      const nowMs = context.wheel.now();
      for (const delivery of deliveries) deliverOne(context, delivery, nowMs, gone);
      return gone;
    },
    ownerOf: (connectionId) => sessions.ofConnection(connectionId),
    askClient: (connectionId, clientMessageId) => askClient(sessions, connectionId, clientMessageId),
    compareHeads: () => compareHeads(sessions),
    recheckSessions: () => recheckSessions(context),
    async drain({ signal } = {}) {
      accepting = false;
      for (const session of sessions.all())
        if (session.isOpen) session.send(drainPacket(randomInt(1, limits.drainReconnectSpreadMs + 1)));
      outbox.flushAll();
      if (sessions.size > 0) await drainWindow(limits.drainWindowMs, signal);
      closeAll();
    },
    async close() {
      accepting = false;
      stopRevocations();
      stopAccepting();
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      closeAll();
      if (stats.connections > 0) await idle;
      receipts.close();
      if (options.wheel === undefined) context.wheel.close();
    },
  };
}
