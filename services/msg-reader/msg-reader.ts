import { type DescMessage, fromBinary, getOption, type MessageShape } from "@bufbuild/protobuf";
import { cmd } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import {
  HistoryService,
  type ListMessagesRequest,
  ListMessagesRequestSchema,
  ListMessagesResponseSchema,
  type ListRangesRequest,
  ListRangesRequestSchema,
  ListRangesResponseSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { encodeExact } from "@chappe/mesh/codec/byte-writer.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { Backend, Call } from "@chappe/mesh/rpc/call.ts";
import { svidOf } from "@chappe/mesh/rpc/contracts.ts";
import { type Identity, identityKey } from "@chappe/mesh/rpc/identity.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { readableRange, readPage } from "./read-page.ts";

/** What createMsgReader needs. */
export interface MsgReaderOptions {
  readonly store: MessageStore;
  readonly membership: MembershipViews;
  readonly validator: RequestValidator;
}

/** Reads history, clamped to what the caller may see. */
export interface MsgReader {
  /** For HTTP. */
  readonly impl: ServiceImpl<typeof HistoryService>;
  /** For Route: pages are copied from the store, never decoded. */
  readonly backend: Backend;
}

const listMessagesCmd = getOption(HistoryService.method.listMessages, cmd);
const listRangesCmd = getOption(HistoryService.method.listRanges, cmd);
const pageTag = 0x0a;

const userOf = (identity: Identity): bigint => {
  if (identity.kind !== "user") throw new ChappeError("UNAUTHENTICATED");
  return identity.userId;
};

class HistoryReader {
  readonly #options: MsgReaderOptions;

  constructor(options: MsgReaderOptions) {
    this.#options = options;
  }

  async handle({ cmd: number, payload, identity }: Call): Promise<Uint8Array> {
    const userId = userOf(identity);
    if (number === listMessagesCmd) return this.listMessages(this.#decode(ListMessagesRequestSchema, payload), userId);
    if (number === listRangesCmd) return this.listRanges(this.#decode(ListRangesRequestSchema, payload), userId);
    throw new ChappeError("UNKNOWN_METHOD");
  }

  async listMessages(request: ListMessagesRequest, userId: bigint): Promise<Uint8Array> {
    const { store } = this.#options;
    const { conversationId } = request;
    if (request.fromSeq > 0n && request.beforeSeq > 0n) {
      const message = "at most one of from_seq and before_seq may be set";
      const violations = [{ field: "before_seq", rule: "exclusive", message }];
      throw new ChappeError("INVALID_ARGUMENT", message, { violations });
    }
    const readable = await readableRange(this.#options, userId, conversationId);
    const maxMessages = request.limit === 0 ? limits.defaultPageMessages : request.limit;
    const bounds = { conversationId, maxMessages, maxBytes: limits.maxPageBytes };
    if (request.fromSeq > 0n) {
      const fromSeq = Number(request.fromSeq);
      if (fromSeq > readable.headSeq + 1) throw new ChappeError("NOT_YET", `the committed head is ${readable.headSeq}`);
      return readPage(store, { ...bounds, fromSeq, toSeq: readable.headSeq, fromEnd: false }, readable);
    }
    const toSeq = request.beforeSeq > 0n ? Number(request.beforeSeq) - 1 : readable.headSeq;
    return readPage(store, { ...bounds, fromSeq: 1, toSeq, fromEnd: true }, readable);
  }

  async listRanges(request: ListRangesRequest, userId: bigint): Promise<Uint8Array> {
    const { store } = this.#options;
    const pages: Uint8Array[] = [];
    let messagesLeft = limits.maxPageMessages;
    let bytesLeft = limits.maxPageBytes;
    for (const range of request.ranges) {
      const { conversationId } = range;
      const readable = await readableRange(this.#options, userId, conversationId);
      const fromSeq = Number(range.fromSeq);
      const full = messagesLeft <= 0 || bytesLeft <= 0;
      const toSeq = full ? 0 : range.toSeq > 0n ? Number(range.toSeq) : readable.headSeq;
      const wanted = { conversationId, fromSeq, toSeq, maxMessages: messagesLeft, maxBytes: bytesLeft, fromEnd: false };
      const page = await readPage(store, wanted, readable);
      messagesLeft -= Math.max(0, Math.min(toSeq, readable.headSeq) - fromSeq + 1);
      bytesLeft -= page.length;
      pages.push(page);
    }
    const size = pages.reduce((sum, page) => sum + delimitedSize(page.length), 0);
    return encodeExact(size, (writer) => {
      for (const page of pages) writer.delimited(pageTag, page);
    });
  }

  #decode<Desc extends DescMessage>(schema: Desc, payload: Uint8Array): MessageShape<Desc> {
    let request: MessageShape<Desc>;
    try {
      request = fromBinary(schema, payload);
    } catch (cause) {
      throw new ChappeError("MALFORMED_PAYLOAD", undefined, { cause });
    }
    this.#options.validator.validate(schema, request);
    return request;
  }
}

/** A MsgReader over a store. */
export function createMsgReader(options: MsgReaderOptions): MsgReader {
  const reader = new HistoryReader(options);
  return {
    impl: {
      async listMessages(request, context) {
        const page = await reader.listMessages(request, userOf(context.values.get(identityKey)));
        return fromBinary(ListMessagesResponseSchema, page);
      },
      async listRanges(request, context) {
        const pages = await reader.listRanges(request, userOf(context.values.get(identityKey)));
        return fromBinary(ListRangesResponseSchema, pages);
      },
    },
    backend: { svid: svidOf(HistoryService), handle: (call) => reader.handle(call) },
  };
}
