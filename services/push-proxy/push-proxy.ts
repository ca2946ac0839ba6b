import { type PublishRequest, PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { encodePushRecord, type PushEntryFields } from "@chappe/mesh/codec/push-record.ts";
import { conversationIdBytes, partitionOf, partitionOfUser } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { Presence } from "@chappe/mesh/ports/presence.ts";
import type { Backend } from "@chappe/mesh/rpc/call.ts";
import type { Contracts } from "@chappe/mesh/rpc/contracts.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import type { RemoteLogins } from "@chappe/mesh/rpc/remote-logins.ts";
import { createServiceBackend } from "@chappe/mesh/rpc/service-backend.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createKicks } from "./kicks.ts";

/** Takes at-most-once events straight to PushServer. */
export interface PushIntake {
  /** Never waits; an event for nobody is dropped. */
  dispatch(entry: PushEntryFields): void;
}

/** What createPushProxy needs. */
export interface PushProxyOptions {
  readonly log: Log;
  readonly contracts: Contracts;
  readonly intake: PushIntake;
  readonly validator: RequestValidator;
  /** Where connections are. */
  readonly presence: Pick<Presence, "lookup">;
  readonly logins: Pick<RemoteLogins, "kick">;
}

/** Serves PushService: at-least-once events go to the push log before the answer, others straight on; kicks at once. */
export function createPushProxy(options: PushProxyOptions): Backend {
  const { log, contracts, intake, validator } = options;
  const kick = createKicks(options);
  const publish = async (request: PublishRequest): Promise<void> => {
    const { conversationId, userIds, svid, cmd } = request;
    const event = contracts.event(svid, cmd);
    if (event === undefined && svid < limits.firstFreeSvid)
      throw invalidArgument("cmd", "event", "no contract has an event at this address");
    const hasConversation = conversationId.length === conversationIdBytes;
    if (hasConversation === userIds.length > 0) {
      throw invalidArgument("user_ids", "exclusive", "exactly one of user_ids and conversation_id must be set");
    }
    const { onlyDeviceId, exceptUserId, payload } = request;
    const entry: PushEntryFields = { conversationId, userIds, onlyDeviceId, exceptUserId, svid, cmd, payload };
    // The contract of a registered service may be known to other processes only: the stronger promise is never wrong.
    if (event?.atLeastOnce !== false) {
      const partition = hasConversation
        ? partitionOf(conversationId, log.partitions)
        : partitionOfUser(userIds[0]!, log.partitions);
      await log.append("push", partition, encodePushRecord([entry]));
    } else intake.dispatch(entry);
  };
  return createServiceBackend(
    PushService,
    {
      async publish(request) {
        await publish(request);
        return {};
      },
      async publishBatch({ events }) {
        await Promise.all(events.map(publish));
        return {};
      },
      kick: async (request) => ({ closed: await kick(request) }),
    },
    { validator },
  );
}
