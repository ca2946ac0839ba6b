import { createHmac, hash, randomBytes, timingSafeEqual } from "node:crypto";
import type { AuthService } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import type { RevocationPublisher } from "@chappe/mesh/auth/revocation-feed.ts";
import type { TokenSigner } from "@chappe/mesh/auth/token-signer.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { BusinessStore, NewUser, UserRow } from "@chappe/mesh/ports/business-store.ts";
import { clientAddressKey } from "@chappe/mesh/rpc/client-address.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import type { Revocation } from "@chappe/mesh/rpc/token-verifier.ts";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type AttemptLimiter, createAttemptLimiter } from "./attempt-limiter.ts";
import type { PasswordHasher } from "./password-hasher.ts";

/** What createAuth needs. */
export interface AuthOptions {
  readonly store: BusinessStore;
  readonly signer: TokenSigner;
  /** Tells this process at once; the others learn by way of the outbox. */
  readonly feed: RevocationPublisher;
  /** There is a change in the store's outbox. @default does nothing */
  readonly onChange?: () => void;
  readonly hasher: PasswordHasher;
  /** Marks refresh tokens as ours, so that only one that was really given out can end its session by being reused. */
  readonly refreshKey: Uint8Array;
  /**
   * Attempts at once, by account name or session and by address. @default limits.attemptBurstPerName and
   * limits.attemptBurstPerAddress
   */
  readonly attemptBurst?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

/** What a token says of its user. */
type TokenUser = Pick<UserRow, "userId" | "sessionVersion">;

const minuteMs = 60_000;
const refreshPattern = /^(\d{1,19})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

/** A random id of 63 bits, never 0. */
function newId(): bigint {
  const id = randomBytes(8).readBigUInt64BE() >> 1n;
  return id === 0n ? newId() : id;
}

const hashOf = (secret: string): Uint8Array => new Uint8Array(hash("sha256", secret, "buffer"));

class Auth {
  readonly #options: AuthOptions;
  readonly #now: () => number;
  /** By account name for passwords, by session for refresh tokens. */
  readonly #perName: AttemptLimiter;
  readonly #perAddress: AttemptLimiter;

  constructor(options: AuthOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const limiter = (burst: number, perMinute: number): AttemptLimiter =>
      createAttemptLimiter({
        burst: options.attemptBurst ?? burst,
        refillMs: minuteMs / perMinute,
        maxKeys: limits.maxAttemptKeys,
        now: this.#now,
      });
    this.#perName = limiter(limits.attemptBurstPerName, limits.attemptsPerMinutePerName);
    this.#perAddress = limiter(limits.attemptBurstPerAddress, limits.attemptsPerMinutePerAddress);
  }

  async register(request: { name: string; password: string; displayName: string }, context: HandlerContext) {
    this.#limitAddress(context);
    const { store, hasher } = this.#options;
    const { name, displayName } = request;
    if ((await store.usersByName([name])).length > 0) throw new ChappeError("ALREADY_EXISTS", "name: is taken");
    const passwordHash = await hasher.hash(request.password);
    const user: NewUser = { userId: newId(), name, displayName: displayName || name, passwordHash, sessionVersion: 1 };
    await store.insertUser(user);
    return { tokens: await this.#openSession(user) };
  }

  async signIn({ name, password }: { name: string; password: string }, context: HandlerContext) {
    this.#limitAddress(context);
    this.#perName.take(`name ${name}`);
    const [user] = await this.#options.store.usersByName([name]);
    const good = await this.#options.hasher.verify(password, user?.passwordHash);
    if (!good || user === undefined) throw new ChappeError("WRONG_CREDENTIALS");
    return { tokens: await this.#openSession(user) };
  }

  async refresh({ refreshToken }: { refreshToken: string }, context: HandlerContext) {
    this.#limitAddress(context);
    const { store } = this.#options;
    const match = refreshPattern.exec(refreshToken);
    if (match === null || !this.#isOurs(refreshToken, match[3]!)) throw new ChappeError("TOKEN_INVALID");
    const sessionId = BigInt(match[1]!);
    // Only a token that we gave out counts against its session, so nobody can use up the attempts of another.
    this.#perName.take(`session ${sessionId}`);
    const session = await store.session(sessionId);
    if (session === undefined) throw new ChappeError("SESSION_REVOKED");
    if (session.expiresTimeMs <= this.#now()) throw new ChappeError("TOKEN_EXPIRED");
    // Before the rotation: a sign-out everywhere in between must leave these tokens with the old version.
    const [user] = await store.usersById([session.userId]);
    if (user === undefined) throw new ChappeError("SESSION_REVOKED");
    const secret = randomBytes(32).toString("base64url");
    const next = { ...session, refreshHash: hashOf(secret), expiresTimeMs: this.#now() + limits.refreshTokenTtlMs };
    if (!(await store.rotateSession(sessionId, hashOf(match[2]!), next))) {
      // A refresh token that was used before is in two hands: nobody keeps the session.
      await this.#endSession(session.userId, sessionId);
      throw new ChappeError("SESSION_REVOKED");
    }
    return { tokens: await this.#tokens(user, sessionId, secret) };
  }

  async signOut({ everywhere }: { everywhere: boolean }, context: HandlerContext) {
    const { userId, sessionId } = context.values.get(identityKey);
    if (everywhere) {
      const minSessionVersion = await this.#options.store.raiseSessionVersion(userId);
      this.#publish({ userId, sessionId: 0n, minSessionVersion });
    } else await this.#endSession(userId, sessionId);
    return {};
  }

  #mac(body: string): string {
    return createHmac("sha256", this.#options.refreshKey).update(body).digest("base64url");
  }

  #isOurs(token: string, mac: string): boolean {
    return timingSafeEqual(Buffer.from(this.#mac(token.slice(0, -mac.length - 1))), Buffer.from(mac));
  }

  #limitAddress(context: HandlerContext): void {
    const address = context.values.get(clientAddressKey);
    // A long connection has no address here, but somebody who is signed in.
    const { kind, userId } = context.values.get(identityKey);
    if (address !== "") this.#perAddress.take(`address ${address}`);
    else if (kind === "user") this.#perAddress.take(`user ${userId}`);
  }

  #refreshToken(sessionId: bigint, secret: string): string {
    const body = `${sessionId}.${secret}`;
    return `${body}.${this.#mac(body)}`;
  }

  async #endSession(userId: bigint, sessionId: bigint): Promise<void> {
    await this.#options.store.deleteSession(sessionId);
    this.#publish({ userId, sessionId, minSessionVersion: 0 });
  }

  #publish(revocation: Revocation): void {
    this.#options.feed.publish(revocation);
    this.#options.onChange?.();
  }

  async #openSession(user: TokenUser) {
    const sessionId = newId();
    const secret = randomBytes(32).toString("base64url");
    const expiresTimeMs = this.#now() + limits.refreshTokenTtlMs;
    await this.#options.store.insertSession({
      sessionId,
      userId: user.userId,
      refreshHash: hashOf(secret),
      expiresTimeMs,
    });
    return this.#tokens(user, sessionId, secret);
  }

  async #tokens({ userId, sessionVersion }: TokenUser, sessionId: bigint, secret: string) {
    const { token, expiresTimeMs } = await this.#options.signer.sign({ userId, sessionId, sessionVersion });
    const accessExpiresTimeMs = BigInt(expiresTimeMs);
    return { userId, accessToken: token, accessExpiresTimeMs, refreshToken: this.#refreshToken(sessionId, secret) };
  }
}

/** Makes the implementation of AuthService. */
export function createAuth(options: AuthOptions): ServiceImpl<typeof AuthService> {
  return new Auth(options);
}
