import { ChappeError } from "../errors/chappe-error.ts";
import type { Revocation, TokenClaims } from "../rpc/token-verifier.ts";
import { BoundedMap } from "./bounded-map.ts";

/** The revocations that a process has heard of. */
export interface RevokedSessions {
  add(revocation: Revocation): void;
  /** Throws SESSION_REVOKED when one of them ends the claims' session. */
  check(claims: Pick<TokenClaims, "userId" | "sessionId" | "sessionVersion">): void;
}

/** Makes an empty set; at most `maxEntries` sessions and users are remembered, the oldest make room. */
export function createRevokedSessions(maxEntries: number): RevokedSessions {
  const sessions = new BoundedMap<bigint, true>(maxEntries);
  const minVersions = new BoundedMap<bigint, number>(maxEntries);
  return {
    add({ userId, sessionId, minSessionVersion }) {
      if (sessionId !== 0n) sessions.set(sessionId, true);
      else minVersions.set(userId, Math.max(minSessionVersion, minVersions.get(userId) ?? 0));
    },
    check({ userId, sessionId, sessionVersion }) {
      if (sessions.get(sessionId) === true || sessionVersion < (minVersions.get(userId) ?? 0))
        throw new ChappeError("SESSION_REVOKED");
    },
  };
}
