import { type CloseName, closeCodes } from "@chappe/gen/errors.ts";
import type { LoginService } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import type { SessionContext } from "./session-context.ts";

/** Handlers of LoginService that look after sessions; `deliver` has a way of its own. */
export type SessionControl = Omit<ServiceImpl<typeof LoginService>, "deliver">;

const closeNames = new Map(Object.entries(closeCodes).map(([name, { code }]) => [code as number, name as CloseName]));

/** Makes them. Calls for an older start of this process change nothing: its connections are gone. */
export function createSessionControl(context: SessionContext): SessionControl {
  const { sessions, devicePolicy, loginEpoch } = context;
  const isOurs = (epoch: bigint): boolean => epoch === BigInt(loginEpoch);
  return {
    reviewDevices(request) {
      if (isOurs(request.loginEpoch)) devicePolicy.review(request.reviews);
      return {};
    },
    listSessions({ userId, askingLoginId }) {
      const found = devicePolicy.list(userId, askingLoginId);
      const live = found.map(({ connectionId, deviceId, deviceClass, openedTimeMs }) => {
        return { connectionId, deviceId, deviceClass, openedTimeMs: BigInt(openedTimeMs) };
      });
      return { loginEpoch: BigInt(loginEpoch), sessions: live };
    },
    kick(request) {
      const { connectionIds, closeCode, reason } = request;
      const name = closeNames.get(closeCode);
      if (name === undefined) throw invalidArgument("close_code", "known", "is no close code of the registry");
      if (request.loginEpoch !== 0n && !isOurs(request.loginEpoch)) return { closed: 0 };
      const found = connectionIds.flatMap((connectionId) => sessions.ofConnection(connectionId) ?? []);
      for (const session of found) session.kick(name, reason);
      return { closed: found.length };
    },
  };
}
