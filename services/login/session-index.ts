import type { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Revocation } from "@chappe/mesh/rpc/token-verifier.ts";
import type { Session } from "./session.ts";

const connectionBits = 32n;

/** The sessions of a process, by connection and by user. */
export class SessionIndex {
  readonly #all = new Set<Session>();
  readonly #byConnection = new Map<bigint, Session>();
  /** Newest first, linked by `nextOfUser`: a list costs nothing where there is one. */
  readonly #byUser = new Map<bigint, Session>();
  readonly #epochPrefix: bigint;
  #lastConnection = 0n;
  #lastOpenedTimeMs = 0;

  /** Connection ids start with the low bits of the epoch, so that two starts of a process do not share ids. */
  constructor(loginEpoch: number) {
    this.#epochPrefix = BigInt.asUintN(31, BigInt(loginEpoch)) << connectionBits;
  }

  /** Connections, identified or not. */
  get size(): number {
    return this.#all.size;
  }

  /** All connections now. */
  all(): Session[] {
    return [...this.#all];
  }

  /** Takes a fresh connection in. */
  add(session: Session): void {
    this.#all.add(session);
  }

  /** A connection id not used before by this start of the process. */
  newConnectionId(): bigint {
    this.#lastConnection = BigInt.asUintN(Number(connectionBits), this.#lastConnection + 1n);
    return this.#epochPrefix | this.#lastConnection;
  }

  /** The time, or a little later: after that of every session welcomed before. */
  newOpenedTimeMs(): number {
    this.#lastOpenedTimeMs = Math.max(Date.now(), this.#lastOpenedTimeMs + 1);
    return this.#lastOpenedTimeMs;
  }

  /** Makes an identified session findable. */
  identify(session: Session): void {
    this.#byConnection.set(session.connectionId, session);
    session.nextOfUser = this.#byUser.get(session.userId);
    this.#byUser.set(session.userId, session);
  }

  /** The session of a connection. */
  ofConnection(connectionId: bigint): Session | undefined {
    return this.#byConnection.get(connectionId);
  }

  /** Sessions of a user, newest first. */
  ofUser(userId: bigint): Session[] {
    const sessions: Session[] = [];
    for (let session = this.#byUser.get(userId); session !== undefined; session = session.nextOfUser)
      sessions.push(session);
    return sessions;
  }

  /** Forgets a session. */
  remove(session: Session): void {
    this.#all.delete(session);
    if (!this.#byConnection.delete(session.connectionId)) return;
    const head = this.#byUser.get(session.userId);
    if (head === session) {
      if (session.nextOfUser === undefined) this.#byUser.delete(session.userId);
      else this.#byUser.set(session.userId, session.nextOfUser);
    } else {
      let before = head;
      while (before !== undefined && before.nextOfUser !== session) before = before.nextOfUser;
      if (before !== undefined) before.nextOfUser = session.nextOfUser;
    }
    session.nextOfUser = undefined;
  }

  /** Sessions that a revocation ends. */
  revoked(revocation: Revocation): Session[] {
    return this.ofUser(revocation.userId).filter((session) =>
      revocation.sessionId === 0n
        ? session.claims!.sessionVersion < revocation.minSessionVersion
        : session.claims!.sessionId === revocation.sessionId,
    );
  }

  /** Sessions that a newly opened one replaces: the oldest of its device above the limit, and devices of a single class. */
  replacedBy(opened: Session, maxPerDevice: number, singleClasses: ReadonlySet<DeviceClass>): Session[] {
    const others = this.ofUser(opened.userId).filter((session) => session !== opened);
    const sameDevice = others.filter((session) => session.deviceId === opened.deviceId);
    const replaced = sameDevice.slice(Math.max(0, maxPerDevice - 1));
    if (!singleClasses.has(opened.deviceClass)) return replaced;
    const sameClass = others.filter(
      (session) => session.deviceId !== opened.deviceId && session.deviceClass === opened.deviceClass,
    );
    return [...replaced, ...sameClass];
  }
}
