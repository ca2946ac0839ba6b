import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import type { LogRecordEntry } from "@chappe/mesh/codec/log-record.ts";
import type { SendRequestFields } from "@chappe/mesh/codec/send-request.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { Identity } from "@chappe/mesh/rpc/identity.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { engineCalls } from "@chappe/mesh/telemetry/engine-calls.ts";
import type { Hops } from "@chappe/mesh/telemetry/hops.ts";
import type { Lanes } from "./lanes.ts";
import { checkContent, toEntries } from "./read-send.ts";
import type { SendAdmission } from "./send-admission.ts";

/** What createTakeMessages needs. */
export interface TakeMessagesOptions {
  readonly lanes: Lanes;
  readonly admission: SendAdmission;
  readonly membership: MembershipViews;
  readonly validator: RequestValidator;
  readonly hops: Hops;
}

/** Judges a request and makes its messages durable; answers them as they are logged. `context` = that of its call; `isEntry` = no role saw it before. */
export type TakeMessages = (
  request: SendRequestFields,
  identity: Identity,
  context: Uint8Array,
  isEntry: boolean,
) => Promise<readonly LogRecordEntry[]>;

/** What a group counts as, for sampling, while its members are not known here. */
const unknownFanOut = 100;

/** The way of messages through MsgProxy, as two hops: judged, appended. */
export function createTakeMessages(options: TakeMessagesOptions): TakeMessages {
  const { lanes, admission, membership, validator, hops } = options;

  const judge: TakeMessages = async (request, identity, context) => {
    const { conversationId, messages } = request;
    admission.takeRate(identity.userId, messages.length);
    for (const [index, message] of messages.entries())
      checkContent(message.content, `messages[${index}].content`, validator);
    const entries = toEntries(request, identity, admission.checkId);
    const authorised = admission.authorise(identity.userId, conversationId);
    if (authorised !== true) {
      const startMs = hops.now();
      await authorised;
      const call = isGroupId(conversationId) ? engineCalls.selectMembers : engineCalls.selectUsers;
      // Not known to be traced before it is known how many they are for.
      hops.calledFor(
        call,
        messages.map(({ clientMessageId }) => ({ clientMessageId })),
        startMs,
      );
    }
    // Whether a member may send is known by now, and with it how many there are.
    const fanOut = isGroupId(conversationId) ? (membership.get(conversationId)?.size ?? unknownFanOut) : 1;
    return entries.map((entry) => {
      const traceContext = hops.contextOf(entry, fanOut, context);
      return traceContext.length === 0 ? entry : { ...entry, traceContext };
    });
  };

  return async (request, identity, context, isEntry) => {
    const { conversationId, messages } = request;
    let from = hops.cursor;
    hops.begin(Hop.AUTHORISE, conversationId, messages, isEntry);
    let until = hops.cursor;
    try {
      const entries = await judge(request, identity, context, isEntry);
      hops.end(from, until);
      from = hops.cursor;
      hops.begin(Hop.LOG_APPEND, conversationId, entries);
      until = hops.cursor;
      await lanes.append(conversationId, entries);
      hops.end(from, until);
      return entries;
    } catch (error) {
      hops.end(from, until, ChappeError.from(error).row.number);
      throw error;
    }
  };
}
