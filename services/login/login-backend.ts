import { create, toBinary } from "@bufbuild/protobuf";
import { DeliverResponseSchema, LoginService } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { decodeDeliveries } from "@chappe/mesh/codec/event-deliveries.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import { type Backend, noBytes } from "@chappe/mesh/rpc/call.ts";
import type { DeliverySink } from "@chappe/mesh/rpc/delivery.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";

/** LoginService over the Login of this process; an empty answer says that every connection was here. */
export function createLoginBackend(login: DeliverySink): Backend {
  const { svid, cmd, auth } = methodContractOf(LoginService.method.deliver);
  return {
    svid,
    async handle(call) {
      if (call.cmd !== cmd) throw new ChappeError("UNKNOWN_METHOD");
      authorize(auth, call.identity);
      const goneConnectionIds = await login.deliver(decodeDeliveries(call.payload));
      if (goneConnectionIds.length === 0) return noBytes;
      return toBinary(
        DeliverResponseSchema,
        create(DeliverResponseSchema, { goneConnectionIds: [...goneConnectionIds] }),
      );
    },
  };
}
