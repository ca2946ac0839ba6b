import type { DescMethodUnary } from "@bufbuild/protobuf";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { CloseRow } from "@chappe/gen/errors.ts";
import {
  type DeviceReview,
  type ListSessionsResponse,
  LoginService,
} from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import { type Call, noBytes, type Router } from "./call.ts";
import { internalIdentity } from "./identity.ts";
import { methodContractOf } from "./method-contracts.ts";

/** Connections of one Login process that are to be closed. */
export interface Kick {
  readonly loginId: string;
  /** 0 = any start of the process. */
  readonly loginEpoch: number;
  readonly connectionIds: readonly bigint[];
  readonly close: CloseRow;
  /** For a person; empty = the text of the close code. */
  readonly reason: string;
}

/** Login processes by their ids. What a process that is gone had is gone too: it answers as one without sessions. */
export interface RemoteLogins {
  /** Tells connections why and closes them; answers how many were there. */
  kick(kick: Kick): Promise<number>;
  /** Open sessions of a user; those not open yet will ask `askingLoginId`. */
  listSessions(loginId: string, userId: bigint, askingLoginId: string): Promise<ListSessionsResponse>;
  /** Has the device policy kept between these connections and other processes. */
  review(loginId: string, loginEpoch: number, reviews: readonly DeviceReview[]): Promise<void>;
}

/** Login processes behind `router`. Rejects with ChappeError; a Route that dies with a call in hand is asked around once. */
export function createRemoteLogins(router: Router): RemoteLogins {
  const send = async <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    target: string,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> => {
    const { svid, cmd } = methodContractOf(method);
    const payload = toBinary(method.input, create(method.input, request));
    const deadlineMs = Date.now() + limits.deliverTimeoutMs;
    const common = { svid, cmd, payload, target, deadlineMs, identity: internalIdentity };
    const call: Call = { ...common, affinity: noBytes, traceContext: noBytes };
    const answer = await router.call(call).catch((error: unknown) => {
      if (ChappeError.is(error, "INSTANCE_GONE")) return noBytes;
      if (!ChappeError.is(error, "UNAVAILABLE")) throw error;
      return router.call(call);
    });
    return fromBinary(method.output, answer);
  };
  const { kick, listSessions, reviewDevices } = LoginService.method;
  return {
    async kick({ loginId, loginEpoch, connectionIds, close, reason }) {
      const common = { loginEpoch: BigInt(loginEpoch), closeCode: close.code, reason };
      let closed = 0;
      for (let at = 0; at < connectionIds.length; at += limits.maxKicksPerCall) {
        const some = connectionIds.slice(at, at + limits.maxKicksPerCall);
        closed += (await send(kick, loginId, { ...common, connectionIds: some })).closed;
      }
      return closed;
    },
    listSessions: (loginId, userId, askingLoginId) => send(listSessions, loginId, { userId, askingLoginId }),
    async review(loginId, loginEpoch, reviews) {
      await send(reviewDevices, loginId, { loginEpoch: BigInt(loginEpoch), reviews: [...reviews] });
    },
  };
}
