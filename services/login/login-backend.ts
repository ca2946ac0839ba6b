import { create, toBinary } from "@bufbuild/protobuf";
import { DeliverResponseSchema, LoginService } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { decodeDeliveries } from "@chappe/mesh/codec/event-deliveries.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import { type Backend, noBytes } from "@chappe/mesh/rpc/call.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";
import { createServiceBackend } from "@chappe/mesh/rpc/service-backend.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { Login } from "./login.ts";

/** What LoginService needs of a Login. */
export type LoginAsBackend = Pick<Login, "deliver" | "control">;

/** What createLoginBackend needs. */
export interface LoginBackendOptions {
  /** The Login of this process; undefined until it is there. */
  readonly login: () => LoginAsBackend | undefined;
  readonly validator: RequestValidator;
}

/** LoginService over the Login of this process; an empty answer to Deliver says that every connection was here. */
export function createLoginBackend({ login, validator }: LoginBackendOptions): Backend {
  const { svid, cmd, auth } = methodContractOf(LoginService.method.deliver);
  const opened = (): LoginAsBackend => {
    const found = login();
    if (found === undefined) throw new ChappeError("UNAVAILABLE");
    return found;
  };
  const impl = {
    // Has the way of its own below: it is on the path of every message.
    deliver: () => Promise.reject(new ChappeError("UNKNOWN_METHOD")),
    reviewDevices: (...args) => opened().control.reviewDevices(...args),
    listSessions: (...args) => opened().control.listSessions(...args),
    kick: (...args) => opened().control.kick(...args),
  } satisfies Parameters<typeof createServiceBackend<typeof LoginService>>[1];
  const others = createServiceBackend(LoginService, impl, { validator });
  return {
    svid,
    async handle(call) {
      if (call.cmd !== cmd) return others.handle(call);
      authorize(auth, call.identity);
      const deliveries = decodeDeliveries(call.payload);
      const gone = (await login()?.deliver(deliveries)) ?? deliveries.flatMap(({ connectionIds }) => connectionIds);
      if (gone.length === 0) return noBytes;
      return toBinary(DeliverResponseSchema, create(DeliverResponseSchema, { goneConnectionIds: [...gone] }));
    },
  };
}
