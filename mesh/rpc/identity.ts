import { createContextKey } from "@connectrpc/connect";

/** Who calls. */
export interface Identity {
  /** "user" = a checked token; "internal" = a module of the mesh; "public" = nobody in particular. */
  readonly kind: "public" | "user" | "internal";
  /** 0n unless kind is "user". */
  readonly userId: bigint;
  /** The session the token belongs to; 0n unless kind is "user". */
  readonly sessionId: bigint;
  /** The installation; 0n over short connections. */
  readonly deviceId: bigint;
  /** Where the caller's long connection is; undefined over short connections. */
  readonly connection?: { readonly loginId: string; readonly connectionId: bigint };
}

/** A caller without a token. */
export const publicIdentity: Identity = Object.freeze({ kind: "public", userId: 0n, sessionId: 0n, deviceId: 0n });

/** A module of the mesh. */
export const internalIdentity: Identity = Object.freeze({ kind: "internal", userId: 0n, sessionId: 0n, deviceId: 0n });

/** Where handlers find the caller: `context.values.get(identityKey)`. */
export const identityKey = createContextKey<Identity>(publicIdentity, { description: "chappe caller" });
