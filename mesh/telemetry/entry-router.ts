import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { ChappeError } from "../errors/chappe-error.ts";
import type { Call, Router } from "../rpc/call.ts";
import { methodContractOf } from "../rpc/method-contracts.ts";
import type { Hops } from "./hops.ts";

const sendAddress = methodContractOf(MessageService.method.send);

/** Router for calls of clients over short connections: what they say of their trace is judged, sends leave a hop. */
export function createEntryRouter(router: Router, hops: Hops): Router {
  const send = async (call: Call): Promise<Uint8Array> => {
    const from = hops.cursor;
    const traceContext = hops.sendSeen(Hop.LOGIN_IN, call.payload, call.traceContext, true);
    const until = hops.cursor;
    try {
      const answer = await router.call({ ...call, traceContext });
      hops.end(from, until);
      return answer;
    } catch (error) {
      hops.end(from, until, ChappeError.from(error).row.number);
      throw error;
    }
  };
  return {
    call(call) {
      if (call.svid === sendAddress.svid && call.cmd === sendAddress.cmd) return send(call);
      if (call.traceContext.length === 0) return router.call(call);
      return router.call({ ...call, traceContext: hops.admit(call.traceContext) });
    },
  };
}
