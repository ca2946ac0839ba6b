import { create, toBinary } from "@bufbuild/protobuf";
import type { ReportDeliveredRequest, SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { ReceiptSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdBytes, conversationIdOfKey, conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import { pageToken, parsePageToken } from "@chappe/mesh/rpc/page-token.ts";
import { createClient, type HandlerContext, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { type CursorState, createCursorBook } from "./cursor-book.ts";

/** What createSync needs. */
export interface SyncOptions {
  readonly store: MessageStore;
  readonly business: BusinessStore;
  readonly membership: MembershipViews;
  /** To PushService. */
  readonly transport: Transport;
}

/** Heads and cursors. */
export interface Sync {
  readonly impl: ServiceImpl<typeof SyncService>;
  close(): Promise<void>;
}

const receiptAddress = eventAddress(ReceiptSchema);
/** Cursors of one GetCursors; the contract's bound. */
const maxCursors = 500;

/** Makes Sync over the stores. */
export function createSync({ store, business, membership, transport }: SyncOptions): Sync {
  const push = createClient(PushService, transport);
  const viewOf = async (conversationId: Uint8Array) =>
    membership.get(conversationId) ?? membership.load(conversationId);

  const publish = async (conversation: string, users: ReadonlyMap<bigint, CursorState>): Promise<void> => {
    const conversationId = conversationIdOfKey(conversation);
    const members = (await viewOf(conversationId)).readersAt(Number.MAX_SAFE_INTEGER);
    if (members.length > limits.maxReceiptMembers || members.length < 2) return;
    for (const [userId, { deliveredSeq, readSeq }] of users) {
      const receipt = { conversationId, userId, deliveredSeq: BigInt(deliveredSeq), readSeq: BigInt(readSeq) };
      const payload = toBinary(ReceiptSchema, create(ReceiptSchema, receipt));
      await push.publish({ ...receiptAddress, conversationId, exceptUserId: userId, payload });
    }
  };
  // Receipts are lossy: a failed push is found again by GetCursors.
  const cursors = createCursorBook(business, (key, users) => void publish(key, users).catch(() => undefined));

  const checkMember = async (userId: bigint, conversationId: Uint8Array): Promise<void> => {
    if ((await viewOf(conversationId)).member(userId) === undefined) throw new ChappeError("NOT_A_MEMBER");
  };

  const listHeads = async (request: { pageSize: number; pageToken: string }, context: HandlerContext) => {
    const { userId } = context.values.get(identityKey);
    const limit = request.pageSize === 0 ? 500 : request.pageSize;
    const after = parsePageToken(request.pageToken, conversationIdBytes);
    const rows = await store.conversationsOf(userId, { limit, ...(after && { afterConversationId: after }) });
    const read = new Map<string, number>();
    for (const cursor of await business.cursorsOf(
      userId,
      rows.map((row) => row.conversationId),
    )) {
      read.set(conversationKey(cursor.conversationId), cursor.readSeq);
    }
    const heads = rows.map(({ conversationId, headSeq, leaveSeq, joinSeq }) => ({
      conversationId,
      headSeq: BigInt(leaveSeq === 0 ? headSeq : Math.min(headSeq, leaveSeq - 1)),
      firstSeq: BigInt(joinSeq),
      readSeq: BigInt(read.get(conversationKey(conversationId)) ?? 0),
    }));
    return { heads, nextPageToken: rows.length === limit ? pageToken(rows.at(-1)!.conversationId) : "" };
  };

  return {
    impl: {
      listHeads,
      async markRead({ conversationId, seq }, context) {
        const { userId } = context.values.get(identityKey);
        await checkMember(userId, conversationId);
        const [head = 0] = await store.heads([conversationId]);
        const readSeq = Math.min(Number(seq), head);
        cursors.raise(conversationKey(conversationId), userId, readSeq, readSeq);
        return {};
      },
      async getCursors({ conversationId }, context) {
        await checkMember(context.values.get(identityKey).userId, conversationId);
        const rows = cursors.overlay(
          conversationKey(conversationId),
          await business.cursors(conversationId, maxCursors),
        );
        const toWire = ({ userId, deliveredSeq, readSeq }: (typeof rows)[number]) => ({
          userId,
          deliveredSeq: BigInt(deliveredSeq),
          readSeq: BigInt(readSeq),
        });
        return { cursors: rows.slice(0, maxCursors).map(toWire) };
      },
      reportDelivered({ items }: ReportDeliveredRequest) {
        for (const { conversationId, userId, seq } of items)
          cursors.raise(conversationKey(conversationId), userId, Number(seq), 0);
        return {};
      },
    },
    close: () => cursors.close(),
  };
}
