import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { ChappeError } from "../errors/chappe-error.ts";
import type { Identity } from "./identity.ts";

/**
 * Throws unless a caller of this kind may call a method of this level: UNKNOWN_METHOD for internal methods, so that
 * clients cannot even tell that they exist; UNAUTHENTICATED for user methods without a user.
 */
export function authorize(level: AuthLevel, identity: Identity): void {
  switch (level) {
    case AuthLevel.PUBLIC:
      return;
    case AuthLevel.INTERNAL:
      if (identity.kind !== "internal") throw new ChappeError("UNKNOWN_METHOD");
      return;
    default:
      if (identity.kind !== "user" || identity.userId === 0n) throw new ChappeError("UNAUTHENTICATED");
  }
}
