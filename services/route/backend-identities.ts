import { createHash, timingSafeEqual } from "node:crypto";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";

/** Who may register servers, and for what. */
export interface BackendIdentity {
  readonly name: string;
  readonly secret: string;
  /** "any" = every SVID that is not Chappe's own. */
  readonly svids: readonly number[] | "any";
  /** Whether it may close connections of clients. @default false */
  readonly mayKick?: boolean | undefined;
}

/** The configured identities. */
export interface BackendIdentities {
  /** Throws BACKEND_REFUSED unless the secret is that of the identity and the SVID one that it may serve. */
  check(name: string, secret: string, svid: number): void;
  /** Throws BACKEND_REFUSED unless the secret is that of the identity and it may close connections of clients. */
  checkKick(name: string, secret: string): void;
}

const { firstFreeSvid } = limits;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Makes the table; secrets are compared in constant time, also for a name that is not in it. */
export function createBackendIdentities(identities: readonly BackendIdentity[]): BackendIdentities {
  const byName = new Map(identities.map((one) => [one.name, { ...one, digest: digest(one.secret) }]));
  const nobody = { name: "", secret: "", digest: digest(""), svids: [] };
  const identify = (name: string, secret: string): BackendIdentity => {
    const identity = byName.get(name) ?? nobody;
    const good = timingSafeEqual(identity.digest, digest(secret));
    if (!good || identity === nobody)
      throw new ChappeError("BACKEND_REFUSED", "The identity and the secret are no pair that is known here.");
    return identity;
  };
  return {
    check(name, secret, svid) {
      const identity = identify(name, secret);
      if (svid < firstFreeSvid)
        throw new ChappeError("BACKEND_REFUSED", `SVID ${svid}: 1 to ${firstFreeSvid - 1} are Chappe's own.`);
      if (identity.svids !== "any" && !identity.svids.includes(svid))
        throw new ChappeError("BACKEND_REFUSED", `The identity ${name} may not serve SVID ${svid}.`);
    },
    checkKick(name, secret) {
      if (identify(name, secret).mayKick !== true)
        throw new ChappeError("BACKEND_REFUSED", `The identity ${name} may not close connections of clients.`);
    },
  };
}
