import { ChappeError } from "../errors/chappe-error.ts";
import type { Call, Router } from "../rpc/call.ts";
import type { Contracts } from "../rpc/contracts.ts";

/** Role whose processes have doors for clients: they alone bring calls of users. */
const doorRole = "login";

/** What the contract says of a service that processes of every role serve. */
const anyRole = "any";

const mayServe = (roles: ReadonlySet<string>, role = ""): boolean =>
  roles.has(role) || (role === anyRole && roles.size > 0);

/** What processes may do, by the roles that they have proved and by the contracts. */
export interface RoleGuard {
  /** PERMISSION_DENIED unless each service is one of the roles'. */
  checkServes(roles: ReadonlySet<string>, svids: readonly number[]): void;
  /**
   * A router for calls of a process: what its roles may not call rejects with PERMISSION_DENIED. A call of a user comes
   * from a Login only, so no other process can speak for users; an internal one from the roles that the contract names.
   */
  guard(roles: ReadonlySet<string>, router: Router): Router;
}

/** A guard by these contracts. */
export function createRoleGuard(contracts: Pick<Contracts, "method" | "services" | "servedBy">): RoleGuard {
  const mayCall = (roles: ReadonlySet<string>, { svid, cmd, identity }: Call): boolean => {
    if (identity.kind !== "internal") return roles.has(doorRole);
    // Addresses that the contracts do not have are Route's to refuse.
    return contracts.method(svid, cmd)?.callers.some((role) => roles.has(role)) ?? true;
  };
  return {
    checkServes(roles, svids) {
      const foreign = svids.find((svid) => !mayServe(roles, contracts.servedBy(svid)));
      if (foreign === undefined) return;
      throw new ChappeError(
        "PERMISSION_DENIED",
        `SVID ${foreign} is not served by ${[...roles].join(", ") || "nobody"}`,
      );
    },
    guard: (roles, router) => ({
      call(call) {
        if (mayCall(roles, call)) return router.call(call);
        const { svid, cmd } = call;
        const who = [...roles].join(", ") || "a process without a certificate";
        return Promise.reject(new ChappeError("PERMISSION_DENIED", `${who} may not call SVID ${svid} CMD ${cmd}`));
      },
    }),
  };
}
