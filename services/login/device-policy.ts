import { closeCodes } from "@chappe/gen/errors.ts";
import type { DeviceReview } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import type { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import type { RemoteLogins } from "@chappe/mesh/rpc/remote-logins.ts";
import type { LoginLimits } from "./login-options.ts";
import { outranked, type RankedSession } from "./outranked.ts";
import type { Session } from "./session.ts";
import type { SessionIndex } from "./session-index.ts";

/** What the policy stands on. */
export interface DevicePolicyOptions {
  readonly loginId: string;
  readonly limits: LoginLimits;
  readonly singleDeviceClasses: ReadonlySet<DeviceClass>;
  readonly sessions: SessionIndex;
  readonly logins: RemoteLogins;
  readonly logger: Logger;
}

interface LiveSession extends RankedSession {
  readonly loginEpoch: number;
}

/**
 * The device policy among Login processes. Online says, after a session is registered, where else its user is; then the
 * open sessions of all those places are compared, and the older ones told and closed. Of two that come at once at least
 * one is told of the other. One that is told of before it is open, by either side, compares once it is.
 */
export class DevicePolicy {
  readonly #options: DevicePolicyOptions;
  /** Where else the user of a session is that is not open yet. */
  readonly #noted = new WeakMap<Session, Set<string>>();
  readonly #waiting: { readonly session: Session; readonly loginIds: readonly string[] }[] = [];
  #running = 0;

  constructor(options: DevicePolicyOptions) {
    this.#options = options;
  }

  /** A session has been welcomed. */
  onOpened(session: Session): void {
    const noted = this.#noted.get(session);
    if (noted === undefined) return;
    this.#noted.delete(session);
    this.#queue(session, [...noted]);
  }

  /** Online says where else the users of connections are. */
  review(reviews: readonly DeviceReview[]): void {
    const { sessions, limits, singleDeviceClasses } = this.#options;
    for (const { connectionId, deviceConnections, loginIds } of reviews) {
      const session = sessions.ofConnection(connectionId);
      if (session === undefined) continue;
      const isSingle = singleDeviceClasses.has(session.deviceClass);
      if (!isSingle && deviceConnections <= limits.maxConnectionsPerDevice) continue;
      if (session.isOpen) this.#queue(session, loginIds);
      else for (const loginId of loginIds) this.#note(session, loginId);
    }
  }

  /** Open sessions of a user, newest first; those that are not open yet will compare with the process that asks. */
  list(userId: bigint, askingLoginId: string): Session[] {
    const all = this.#options.sessions.ofUser(userId);
    for (const session of all) if (!session.isOpen) this.#note(session, askingLoginId);
    return all.filter((session) => session.isOpen).slice(0, this.#options.limits.maxListedSessions);
  }

  #note(session: Session, loginId: string): void {
    const noted = this.#noted.get(session) ?? new Set();
    this.#noted.set(session, noted.add(loginId));
  }

  #queue(session: Session, loginIds: readonly string[]): void {
    const { limits, logger } = this.#options;
    if (this.#waiting.length >= limits.maxWaitingDeviceReviews) {
      logger.warn("login.device-review-dropped", { connectionId: session.connectionId });
      return;
    }
    this.#waiting.push({ session, loginIds });
    if (this.#running < limits.maxDeviceReviews) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#running++;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { session, loginIds } = next;
      await this.#compare(session, loginIds).catch((error: unknown) =>
        this.#options.logger.warn("login.device-review-failed", { connectionId: session.connectionId, error }),
      );
    }
    this.#running--;
  }

  async #compare(session: Session, loginIds: readonly string[]): Promise<void> {
    const { limits, singleDeviceClasses, sessions, logins } = this.#options;
    const lists = await Promise.all(loginIds.map((loginId) => this.#listAt(loginId, session.userId)));
    if (!session.isOpen) return;
    const all = [...this.#own(session.userId), ...lists.flat()];
    const kicks = new Map<string, LiveSession[]>();
    for (const loser of outranked(all, limits.maxConnectionsPerDevice, singleDeviceClasses)) {
      if (loser.loginId === this.#options.loginId) sessions.ofConnection(loser.connectionId)?.kick("REPLACED");
      else kicks.set(loser.loginId, [...(kicks.get(loser.loginId) ?? []), loser]);
    }
    const close = closeCodes.REPLACED;
    for (const [loginId, losers] of kicks) {
      const connectionIds = losers.map(({ connectionId }) => connectionId);
      await logins.kick({ loginId, loginEpoch: losers[0]!.loginEpoch, connectionIds, close, reason: "" });
    }
  }

  #own(userId: bigint): LiveSession[] {
    const { loginId, sessions } = this.#options;
    return sessions.ofUser(userId).flatMap(({ isOpen, connectionId, deviceId, deviceClass, openedTimeMs }) => {
      return isOpen ? [{ loginId, loginEpoch: 0, connectionId, deviceId, deviceClass, openedTimeMs }] : [];
    });
  }

  /** A process that cannot be asked now keeps its sessions: Online tells of them again when it announces its table. */
  async #listAt(loginId: string, userId: bigint): Promise<LiveSession[]> {
    const { logins, logger } = this.#options;
    const answer = await logins.listSessions(loginId, userId, this.#options.loginId).catch((error: unknown) => {
      logger.warn("login.sessions-not-listed", { loginId, error });
      return undefined;
    });
    if (answer === undefined) return [];
    const loginEpoch = Number(answer.loginEpoch);
    return answer.sessions.map(({ connectionId, deviceId, deviceClass, openedTimeMs }) => {
      return { loginId, loginEpoch, connectionId, deviceId, deviceClass, openedTimeMs: Number(openedTimeMs) };
    });
  }
}
