import type { Router } from "@chappe/mesh/rpc/call.ts";
import type { Route } from "../route/create-route.ts";

/** Router of a process with some modules: calls of a module beside the caller stay here, others go by the links. */
export function createNearRouter(near: Route, elsewhere: Router): Router {
  return {
    call: (call) => (call.target === undefined && near.serves(call.svid) ? near : elsewhere).call(call),
  };
}
