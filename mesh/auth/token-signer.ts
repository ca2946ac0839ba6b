import { SignJWT } from "jose";
import { limits } from "../limits.ts";
import type { TokenClaims } from "../rpc/token-verifier.ts";
import type { SigningKey } from "./signing-key.ts";
import { accessTokenType, defaultTokenAudience, type TokenAudience } from "./token-format.ts";

/** Makes access tokens. */
export interface TokenSigner {
  /** A token that is good from now until `expiresTimeMs` of the answer. */
  sign(claims: Omit<TokenClaims, "expiresTimeMs">): Promise<{ token: string; expiresTimeMs: number }>;
}

/** What createTokenSigner needs. */
export interface TokenSignerOptions {
  readonly key: SigningKey;
  /** @default defaultTokenAudience */
  readonly audience?: TokenAudience;
  /** @default limits.accessTokenTtlMs */
  readonly ttlMs?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

/** Makes the signer of an installation. */
export function createTokenSigner(options: TokenSignerOptions): TokenSigner {
  const { key, audience = defaultTokenAudience, ttlMs = limits.accessTokenTtlMs, now = Date.now } = options;
  return {
    async sign({ userId, sessionId, sessionVersion }) {
      const issuedSeconds = Math.floor(now() / 1000);
      const expiresSeconds = issuedSeconds + Math.ceil(ttlMs / 1000);
      const token = await new SignJWT({ sid: sessionId.toString(), ver: sessionVersion })
        .setProtectedHeader({ alg: "EdDSA", kid: key.kid, typ: accessTokenType })
        .setIssuer(audience.issuer)
        .setAudience(audience.audience)
        .setSubject(userId.toString())
        .setIssuedAt(issuedSeconds)
        .setNotBefore(issuedSeconds)
        .setExpirationTime(expiresSeconds)
        .sign(key.privateKey);
      return { token, expiresTimeMs: expiresSeconds * 1000 };
    },
  };
}
