import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { ReceiptSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { type PublishRequestSchema, PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
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
import { type CursorBook, createCursorBook } from "./cursor-book.ts";
import { type CursorIntake, createCursorIntake, cursorOf } from "./cursor-intake.ts";
import { type CursorEntry, CursorMap } from "./cursor-map.ts";
import { createReceiptBatcher, type ReceiptBatcher } from "./receipt-batcher.ts";

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
const defaultPageSize = 500;

class SyncHandlers {
  readonly #options: SyncOptions;
  readonly #push;
  readonly #cursors: CursorBook;
  readonly #receipts: ReceiptBatcher;
  readonly intake: CursorIntake;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#push = createClient(PushService, options.transport);
    this.#cursors = createCursorBook(options.business);
    // Receipts are lossy: what is not pushed is found again by GetCursors.
    this.#receipts = createReceiptBatcher({ publish: (batch) => this.#publish(batch) });
    this.intake = createCursorIntake({ ...options, onCursor: (cursor) => this.#raise(cursor) });
  }

  async listHeads(request: { pageSize: number; pageToken: string }, userId: bigint) {
    const { store, business } = this.#options;
    const limit = request.pageSize === 0 ? defaultPageSize : request.pageSize;
    const after = parsePageToken(request.pageToken, conversationIdBytes);
    const rows = await store.conversationsOf(userId, { limit, ...(after && { afterConversationId: after }) });
    const ids = rows.map((row) => row.conversationId);
    const read = new Map(
      ids.map(conversationKey).map((key) => [key, this.#cursors.waiting(key, userId)?.readSeq ?? 0]),
    );
    for (const cursor of await business.cursorsOf(userId, ids)) {
      const key = conversationKey(cursor.conversationId);
      read.set(key, Math.max(cursor.readSeq, read.get(key)!));
    }
    const heads = rows.map(({ conversationId, headSeq, leaveSeq, joinSeq }) => ({
      conversationId,
      headSeq: BigInt(leaveSeq === 0 ? headSeq : Math.min(headSeq, leaveSeq - 1)),
      firstSeq: BigInt(joinSeq),
      readSeq: BigInt(read.get(conversationKey(conversationId))!),
    }));
    return { heads, nextPageToken: rows.length === limit ? pageToken(rows.at(-1)!.conversationId) : "" };
  }

  async getCursors(conversationId: Uint8Array, userId: bigint) {
    if ((await this.#memberRow(userId, conversationId)).leaveSeq > 0) throw new ChappeError("NOT_A_MEMBER");
    const waiting = this.#cursors.waitingOf(conversationKey(conversationId));
    const cursors = new CursorMap();
    for (const row of await this.#options.business.cursors(conversationId, limits.maxCursorsPerAnswer))
      cursors.raise("", row.userId, row.deliveredSeq, row.readSeq);
    for (const [id, { deliveredSeq, readSeq }] of waiting) cursors.raise("", id, deliveredSeq, readSeq);
    const toWire = ({ userId: id, deliveredSeq, readSeq }: CursorEntry) => ({
      userId: id,
      deliveredSeq: BigInt(deliveredSeq),
      readSeq: BigInt(readSeq),
    });
    return { cursors: cursors.take(limits.maxCursorsPerAnswer).entries().map(toWire) };
  }

  async close(): Promise<void> {
    await this.intake.close();
    await this.#receipts.close();
    await this.#cursors.close();
  }

  #raise({ conversation, userId, deliveredSeq, readSeq }: CursorEntry): void {
    if (this.#cursors.raise(conversation, userId, deliveredSeq, readSeq))
      this.#receipts.add(conversation, userId, deliveredSeq, readSeq);
  }

  async #memberRow(userId: bigint, conversationId: Uint8Array): Promise<MemberRow> {
    const row = await this.#options.membership.memberOf(conversationId, userId);
    if (row === undefined) throw new ChappeError("NOT_A_MEMBER");
    return row;
  }

  async #view(conversationId: Uint8Array): Promise<MembershipView> {
    const { membership } = this.#options;
    return membership.get(conversationId) ?? membership.load(conversationId);
  }

  async #publish(batch: readonly CursorEntry[]): Promise<void> {
    const events: MessageInitShape<typeof PublishRequestSchema>[] = [];
    for (const { conversation, userId, deliveredSeq, readSeq } of batch) {
      const conversationId = conversationIdOfKey(conversation);
      const members = (await this.#view(conversationId)).readersAt(Number.MAX_SAFE_INTEGER);
      if (members.length > limits.maxReceiptMembers || members.length < 2) continue;
      const receipt = { conversationId, userId, deliveredSeq: BigInt(deliveredSeq), readSeq: BigInt(readSeq) };
      const payload = toBinary(ReceiptSchema, create(ReceiptSchema, receipt));
      events.push({ ...receiptAddress, conversationId, exceptUserId: userId, payload });
    }
    if (events.length > 0) await this.#push.publishBatch({ events });
  }
}

/** Makes Sync over the stores. */
export function createSync(options: SyncOptions): Sync {
  const handlers = new SyncHandlers(options);
  const userOf = (context: HandlerContext): bigint => context.values.get(identityKey).userId;
  return {
    impl: {
      listHeads: (request, context) => handlers.listHeads(request, userOf(context)),
      async markRead({ conversationId, seq }, context) {
        await handlers.intake.takeOne(cursorOf(conversationId, userOf(context), seq, seq));
        return {};
      },
      getCursors: ({ conversationId }, context) => handlers.getCursors(conversationId, userOf(context)),
      async reportDelivered({ items }) {
        await handlers.intake.take(
          items.map(({ conversationId, userId, seq }) => cursorOf(conversationId, userId, seq, 0n)),
        );
        return {};
      },
    },
    close: () => handlers.close(),
  };
}
