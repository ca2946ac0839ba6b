import type { KeyObject } from "node:crypto";
import { errors, type JWTHeaderParameters, type JWTPayload, jwtVerify } from "jose";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import type { Revocation, TokenClaims, TokenVerifier } from "../rpc/token-verifier.ts";
import { BoundedMap } from "./bounded-map.ts";
import type { RevocationFeed } from "./revocation-feed.ts";
import { createRevokedSessions } from "./revoked-sessions.ts";
import { accessTokenType, defaultTokenAudience, type TokenAudience } from "./token-format.ts";

/** A verifier and its end. */
export interface OwnedTokenVerifier extends TokenVerifier {
  /** Revocations may have been missed: each token is looked up in the store when it is next shown. */
  forget(): void;
  /** Leaves the feed; verify rejects with UNAVAILABLE from then on. */
  close(): void;
}

/** What createTokenVerifier needs. */
export interface TokenVerifierOptions {
  /** Public Ed25519 key of that `kid`, undefined when it is not one of ours. */
  readonly keyOf: (kid: string) => KeyObject | undefined;
  readonly feed: RevocationFeed;
  /** @default defaultTokenAudience */
  readonly audience?: TokenAudience;
  /** @default limits.maxCachedTokens */
  readonly maxCachedTokens?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

const uint63 = /^[1-9][0-9]{0,18}$/;

function readClaims(payload: JWTPayload): TokenClaims {
  const { sub, sid, ver, exp } = payload;
  const idsGood = typeof sub === "string" && uint63.test(sub) && typeof sid === "string" && uint63.test(sid);
  if (!idsGood || typeof ver !== "number" || !Number.isSafeInteger(ver) || typeof exp !== "number")
    throw new ChappeError("TOKEN_INVALID");
  return { userId: BigInt(sub), sessionId: BigInt(sid), sessionVersion: ver, expiresTimeMs: exp * 1000 };
}

/** Checks signature, issuer, audience, type and `nbf`, the last with grace; `exp` is left to the caller. */
async function verifySignature(token: string, options: TokenVerifierOptions, nowMs: number): Promise<TokenClaims> {
  const { issuer, audience } = options.audience ?? defaultTokenAudience;
  const keyFor = (header: JWTHeaderParameters): KeyObject => {
    const key = header.kid === undefined ? undefined : options.keyOf(header.kid);
    if (key === undefined) throw new ChappeError("TOKEN_INVALID");
    return key;
  };
  try {
    const { payload } = await jwtVerify(token, keyFor, {
      algorithms: ["EdDSA"],
      typ: accessTokenType,
      issuer,
      audience,
      requiredClaims: ["sub", "exp", "nbf"],
      currentDate: new Date(nowMs),
      clockTolerance: limits.tokenNotBeforeLeewayMs / 1000,
    });
    return readClaims(payload);
  } catch (error) {
    if (error instanceof ChappeError) throw error;
    throw new ChappeError(error instanceof errors.JWTExpired ? "TOKEN_EXPIRED" : "TOKEN_INVALID", undefined, {
      cause: error,
    });
  }
}

class FedTokenVerifier implements OwnedTokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #now: () => number;
  readonly #good: BoundedMap<string, TokenClaims>;
  readonly #revoked = createRevokedSessions(limits.maxRevocations);
  readonly #listeners = new Set<(revocation: Revocation) => void>();
  readonly #unsubscribe: () => void;
  #closed = false;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#good = new BoundedMap(options.maxCachedTokens ?? limits.maxCachedTokens);
    this.#unsubscribe = options.feed.subscribe((revocation) => {
      this.#revoked.add(revocation);
      for (const listener of [...this.#listeners]) listener(revocation);
    });
  }

  async verify(token: string): Promise<TokenClaims> {
    if (this.#closed) throw new ChappeError("UNAVAILABLE");
    const known = this.#good.touch(token);
    if (known !== undefined) {
      this.#checkCached(token, known);
      return known;
    }
    const claims = await verifySignature(token, this.#options, this.#now());
    this.check(claims);
    await this.checkStored(claims);
    this.#good.set(token, claims);
    return claims;
  }

  check(claims: TokenClaims): void {
    if (claims.expiresTimeMs <= this.#now()) throw new ChappeError("TOKEN_EXPIRED");
    this.#revoked.check(claims);
  }

  // The feed tells what ends from now on; what ended before this process met the token is only in the store.
  async checkStored(claims: TokenClaims): Promise<void> {
    const state = await this.#options.feed.state(claims.userId, claims.sessionId);
    if (!state.sessionExists || claims.sessionVersion < state.sessionVersion) throw new ChappeError("SESSION_REVOKED");
    this.#revoked.check(claims);
  }

  onRevoked(listener: (revocation: Revocation) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  forget(): void {
    this.#good.clear();
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#listeners.clear();
    this.#good.clear();
  }

  // A token that fails once leaves the cache, so the bounded list of revocations need not outlive it there.
  #checkCached(token: string, claims: TokenClaims): void {
    try {
      this.check(claims);
    } catch (error) {
      this.#good.delete(token);
      throw error;
    }
  }
}

/** Makes a verifier: EdDSA only, keys by `kid`, revocations from the feed, good signatures remembered. */
export function createTokenVerifier(options: TokenVerifierOptions): OwnedTokenVerifier {
  return new FedTokenVerifier(options);
}
