/** What an access token says. */
export interface TokenClaims {
  readonly userId: bigint;
  readonly sessionId: bigint;
  /** Session version of the user when the token was made. */
  readonly sessionVersion: number;
  readonly expiresTimeMs: number;
}

/** A session, or every session of a user below a version, has ended. */
export interface Revocation {
  readonly userId: bigint;
  /** The one session that ended; 0n = every session with a lower version than `minSessionVersion`. */
  readonly sessionId: bigint;
  readonly minSessionVersion: number;
}

/** Checks access tokens in this process. */
export interface TokenVerifier {
  /**
   * The claims of a good token; a signature once seen is remembered. Rejects with TOKEN_INVALID, TOKEN_EXPIRED or
   * SESSION_REVOKED.
   */
  verify(token: string): Promise<TokenClaims>;
  /** Throws TOKEN_EXPIRED or SESSION_REVOKED when claims verified earlier no longer hold. Local and cheap. */
  check(claims: TokenClaims): void;
  /** Rejects with SESSION_REVOKED when the store says that the session has ended. For claims that came without their token. */
  checkStored(claims: TokenClaims): Promise<void>;
  /** Calls back on each revocation; answers the unsubscribe. */
  onRevoked(listener: (revocation: Revocation) => void): () => void;
}
