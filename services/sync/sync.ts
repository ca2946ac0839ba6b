import { create, toBinary } from "@bufbuild/protobuf";
import type { ReportDeliveredRequest, SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { ReceiptSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdBytes, conversationIdOfKey, conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipView, MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { MemberRow, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import { pageToken, parsePageToken } from "@chappe/mesh/rpc/page-token.ts";
import { createClient, type HandlerContext, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { type CursorBook, type CursorState, createCursorBook } from "./cursor-book.ts";

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

class SyncHandlers {
  readonly #options: SyncOptions;
  readonly #push;
  readonly cursors: CursorBook;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#push = createClient(PushService, options.transport);
    // Receipts are lossy: a failed push is found again by GetCursors.
    const onRaised = (key: string, users: ReadonlyMap<bigint, CursorState>): void =>
      void this.#publish(key, users).catch(() => undefined);
    this.cursors = createCursorBook(options.business, onRaised);
  }

  async listHeads(request: { pageSize: number; pageToken: string }, userId: bigint) {
    const { store, business } = this.#options;
    const limit = request.pageSize === 0 ? 500 : request.pageSize;
    const after = parsePageToken(request.pageToken, conversationIdBytes);
    const rows = await store.conversationsOf(userId, { limit, ...(after && { afterConversationId: after }) });
    const ids = rows.map((row) => row.conversationId);
    const read = new Map<string, number>();
    for (const cursor of await business.cursorsOf(userId, ids)) {
      read.set(conversationKey(cursor.conversationId), cursor.readSeq);
    }
    const heads = rows.map(({ conversationId, headSeq, leaveSeq, joinSeq }) => ({
      conversationId,
      headSeq: BigInt(leaveSeq === 0 ? headSeq : Math.min(headSeq, leaveSeq - 1)),
      firstSeq: BigInt(joinSeq),
      readSeq: BigInt(read.get(conversationKey(conversationId)) ?? 0),
    }));
    return { heads, nextPageToken: rows.length === limit ? pageToken(rows.at(-1)!.conversationId) : "" };
  }

  async markRead(conversationId: Uint8Array, userId: bigint, seq: number) {
    const { leaveSeq } = await this.#memberRow(userId, conversationId);
    const [head = 0] = await this.#options.store.heads([conversationId]);
    // A push may overtake the commit, so a mark a little beyond the committed head is taken.
    const most = leaveSeq === 0 ? head + limits.maxWriterMessagesInFlight : leaveSeq - 1;
    const readSeq = Math.min(seq, most);
    this.cursors.raise(conversationKey(conversationId), userId, readSeq, readSeq);
    return {};
  }

  async getCursors(conversationId: Uint8Array, userId: bigint) {
    if ((await this.#memberRow(userId, conversationId)).leaveSeq > 0) throw new ChappeError("NOT_A_MEMBER");
    const stored = await this.#options.business.cursors(conversationId, maxCursors);
    const rows = this.cursors.overlay(conversationKey(conversationId), stored);
    const toWire = ({ userId: id, deliveredSeq, readSeq }: (typeof rows)[number]) => ({
      userId: id,
      deliveredSeq: BigInt(deliveredSeq),
      readSeq: BigInt(readSeq),
    });
    return { cursors: rows.slice(0, maxCursors).map(toWire) };
  }

  async #memberRow(userId: bigint, conversationId: Uint8Array): Promise<MemberRow> {
    const row = (await this.#view(conversationId)).member(userId);
    if (row === undefined) throw new ChappeError("NOT_A_MEMBER");
    return row;
  }

  async #view(conversationId: Uint8Array): Promise<MembershipView> {
    const { membership } = this.#options;
    return membership.get(conversationId) ?? membership.load(conversationId);
  }

  async #publish(conversation: string, users: ReadonlyMap<bigint, CursorState>): Promise<void> {
    const conversationId = conversationIdOfKey(conversation);
    const members = (await this.#view(conversationId)).readersAt(Number.MAX_SAFE_INTEGER);
    if (members.length > limits.maxReceiptMembers || members.length < 2) return;
    for (const [userId, { deliveredSeq, readSeq }] of users) {
      const receipt = { conversationId, userId, deliveredSeq: BigInt(deliveredSeq), readSeq: BigInt(readSeq) };
      const payload = toBinary(ReceiptSchema, create(ReceiptSchema, receipt));
      await this.#push.publish({ ...receiptAddress, conversationId, exceptUserId: userId, payload });
    }
  }
}

/** Makes Sync over the stores. */
export function createSync(options: SyncOptions): Sync {
  const handlers = new SyncHandlers(options);
  const userOf = (context: HandlerContext): bigint => context.values.get(identityKey).userId;
  return {
    impl: {
      listHeads: (request, context) => handlers.listHeads(request, userOf(context)),
      markRead: ({ conversationId, seq }, context) => handlers.markRead(conversationId, userOf(context), Number(seq)),
      getCursors: ({ conversationId }, context) => handlers.getCursors(conversationId, userOf(context)),
      reportDelivered({ items }: ReportDeliveredRequest) {
        for (const { conversationId, userId, seq } of items) {
          handlers.cursors.raise(conversationKey(conversationId), userId, Number(seq), 0);
        }
        return {};
      },
    },
    close: () => handlers.cursors.close(),
  };
}
