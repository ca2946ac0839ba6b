import { fromBinary } from "@bufbuild/protobuf";
import { DeliverResponseSchema, LoginService } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { encodeDeliveries } from "../codec/event-deliveries.ts";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import { type Call, noBytes, type Router } from "./call.ts";
import type { Delivery, DeliverySink, DeliverySinks } from "./delivery.ts";
import { internalIdentity } from "./identity.ts";
import { methodContractOf } from "./method-contracts.ts";

/** What createRemoteDeliveries needs. */
export interface RemoteDeliveriesOptions {
  readonly router: Router;
  /** @default limits.deliverTimeoutMs */
  readonly timeoutMs?: number;
}

const allOf = (deliveries: readonly Delivery[]): bigint[] => deliveries.flatMap(({ connectionIds }) => connectionIds);

/**
 * Login processes behind Routes. A Login that does not answer in time, or is not there, counts as without connections:
 * its clients compare heads when it is back, or connect elsewhere. A Route that dies with a delivery in hand is asked
 * around once; what then arrives twice is known by its seq.
 */
export function createRemoteDeliveries(options: RemoteDeliveriesOptions): DeliverySinks {
  const { router, timeoutMs = limits.deliverTimeoutMs } = options;
  const { svid, cmd } = methodContractOf(LoginService.method.deliver);
  const send = async (target: string, payload: Uint8Array): Promise<readonly bigint[]> => {
    const deadlineMs = Date.now() + timeoutMs;
    const common = { svid, cmd, payload, target, deadlineMs, identity: internalIdentity };
    const call: Call = { ...common, affinity: noBytes, traceContext: noBytes };
    const answer = await router.call(call).catch((error: unknown) => {
      if (!ChappeError.is(error, "UNAVAILABLE")) throw error;
      return router.call(call);
    });
    return answer.length === 0 ? [] : fromBinary(DeliverResponseSchema, answer).goneConnectionIds;
  };
  return {
    sink: (loginId): DeliverySink => ({
      deliver: (deliveries) => send(loginId, encodeDeliveries(deliveries)).catch(() => allOf(deliveries)),
    }),
  };
}
