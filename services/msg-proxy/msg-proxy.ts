import { create, fromBinary, getOption, toBinary } from "@bufbuild/protobuf";
import { cmd } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { RawSendRequestSchema } from "@chappe/gen/proto/chappe/mesh/v1/raw_send_pb.ts";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { MessageService, SendResponseSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { type Backend, type Call, noBytes } from "@chappe/mesh/rpc/call.ts";
import { type Identity, identityKey } from "@chappe/mesh/rpc/identity.ts";
import { createServiceBackend } from "@chappe/mesh/rpc/service-backend.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { clientContextOf } from "@chappe/mesh/telemetry/client-context.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { getSend } from "./get-send.ts";
import { createLanes } from "./lanes.ts";
import { readSendRequest } from "./read-send.ts";
import { createSendAdmission } from "./send-admission.ts";
import { createTakeMessages } from "./take-messages.ts";

/** What createMsgProxy needs. */
export interface MsgProxyOptions {
  readonly log: Log;
  readonly store: MessageStore;
  readonly users: Pick<BusinessStore, "usersById">;
  readonly membership: MembershipViews;
  readonly validator: RequestValidator;
  /** @default Date.now */
  readonly now?: () => number;
  /** @default limits.sendsPerSecondPerUser */
  readonly sendsPerSecondPerUser?: number;
  /** Told of the messages that pass. @default nobody */
  readonly hops?: Hops;
}

/** Takes messages in: authorises, stamps, makes durable. */
export interface MsgProxy {
  /** For HTTP. */
  readonly impl: ServiceImpl<typeof MessageService>;
  /** For Route. Send is decoded just as far as needed: contents are stored as they came. */
  readonly backend: Backend;
  readonly waitingMessages: () => number;
}

const sendCmd = getOption(MessageService.method.send, cmd);

/** A MsgProxy over a log. */
export function createMsgProxy(options: MsgProxyOptions): MsgProxy {
  const { log, store, validator, membership, hops = noHops } = options;
  const lanes = createLanes(log, options.hops);
  const admission = createSendAdmission(options);

  const takeMessages = createTakeMessages({ lanes, admission, membership, validator, hops });

  const send = async (payload: Uint8Array, identity: Identity, from: Call | Uint8Array): Promise<Uint8Array> => {
    const call = from instanceof Uint8Array ? undefined : from;
    const context = from instanceof Uint8Array ? from : from.traceContext;
    if (identity.kind !== "user") throw new ChappeError("UNAUTHENTICATED");
    const request = readSendRequest(payload);
    const { conversationId } = request;
    if (call !== undefined && call.affinity.length > 0 && Buffer.compare(call.affinity, conversationId) !== 0) {
      throw new ChappeError("INVALID_ARGUMENT", "affinity of the packet is not conversation_id");
    }
    const entries = await takeMessages(request, identity, context, call === undefined);
    if (request.messages.every((message) => message.clientMessageId.length > 0)) return noBytes;
    const clientMessageIds = entries.map((entry) => entry.clientMessageId);
    return toBinary(SendResponseSchema, create(SendResponseSchema, { clientMessageIds }));
  };

  const impl: ServiceImpl<typeof MessageService> = {
    async send(request, context) {
      const messages = request.messages.map(({ clientMessageId, content }) => ({
        clientMessageId,
        content: content === undefined ? noBytes : toBinary(MessageContentSchema, content),
      }));
      const raw = create(RawSendRequestSchema, { conversationId: request.conversationId, messages });
      const traced = hops.support(clientContextOf((name) => context.requestHeader.get(name)));
      const answer = await send(toBinary(RawSendRequestSchema, raw), context.values.get(identityKey), traced);
      return fromBinary(SendResponseSchema, answer);
    },
    async getSend({ conversationId, clientMessageId, content }, context) {
      const senderId = context.values.get(identityKey).userId;
      const digest = content === undefined ? undefined : bodyDigest(toBinary(MessageContentSchema, content));
      const status = await getSend({ log, store, lanes }, { conversationId, clientMessageId, senderId }, digest);
      return { state: status.state, seq: BigInt(status.seq) };
    },
    async appendMembership({ conversationId, clientMessageId, membership }) {
      const content = create(MessageContentSchema, { kind: { case: "membership", value: membership! } });
      const body = toBinary(MessageContentSchema, content);
      const senderId = membership!.byUserId;
      const entry = { conversationId, clientMessageId, senderId, digest: bodyDigest(body), deviceId: 0n, body };
      await lanes.append(conversationId, [{ ...entry, kind: EntryKind.MEMBERSHIP, traceContext: noBytes }]);
      return {};
    },
  };

  const inner = createServiceBackend(MessageService, impl, { validator });
  return {
    impl,
    backend: {
      svid: inner.svid,
      handle: (call) => (call.cmd === sendCmd ? send(call.payload, call.identity, call) : inner.handle(call)),
    },
    waitingMessages: () => lanes.waitingMessages,
  };
}
