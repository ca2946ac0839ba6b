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
import type { Backend, Call } from "@chappe/mesh/rpc/call.ts";
import { svidOf } from "@chappe/mesh/rpc/contracts.ts";
import { type Identity, identityKey } from "@chappe/mesh/rpc/identity.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import { findTime } from "./find-time.ts";
import { type ReadableRange, readableRanges, readPage, readPageAround, readPages } from "./read-page.ts";
import { createTieredReads, type TieredReads, type TierStats, type Tiers } from "./tiered-reads.ts";

/** What createMsgReader needs. */
export interface MsgReaderOptions extends Tiers {
  readonly membership: MembershipViews;
  readonly validator: RequestValidator;
}

/** Reads history, clamped to what the caller may see. */
export interface MsgReader {
  /** For HTTP. */
  readonly impl: ServiceImpl<typeof HistoryService>;
  /** For Route: pages are copied from the store, never decoded. */
  readonly backend: Backend;
  stats(): TierStats;
}

const listMessagesCmd = getOption(HistoryService.method.listMessages, cmd);
const listRangesCmd = getOption(HistoryService.method.listRanges, cmd);
const pageTag = 0x0a;

const userOf = (identity: Identity): bigint => {
  if (identity.kind !== "user") throw new ChappeError("UNAUTHENTICATED");
  return identity.userId;
};

/** Where a page begins or ends; 0 = not said. */
const placesOf = ({ fromSeq, beforeSeq, fromTimeMs, aroundSeq }: ListMessagesRequest) =>
  Object.entries({ from_seq: fromSeq, before_seq: beforeSeq, from_time_ms: fromTimeMs, around_seq: aroundSeq });

/** INVALID_ARGUMENT when more than one place is named. */
function checkPlaces(request: ListMessagesRequest): void {
  const [first, second] = placesOf(request).flatMap(([field, value]) => (value > 0n ? [field] : []));
  if (first === undefined || second === undefined) return;
  const message = `at most one of ${first} and ${second} may be set`;
  throw new ChappeError("INVALID_ARGUMENT", message, { violations: [{ field: second, rule: "exclusive", message }] });
}

/** NOT_YET when a seq is beyond the last one that the page may begin with. */
function checkCommitted(seq: number, lastSeq: number, { headSeq }: ReadableRange): void {
  if (seq > lastSeq) throw new ChappeError("NOT_YET", `the committed head is ${headSeq}`);
}

class HistoryReader {
  readonly #options: MsgReaderOptions;
  readonly reads: TieredReads;

  constructor(options: MsgReaderOptions) {
    this.#options = options;
    this.reads = createTieredReads(options);
  }

  async handle({ cmd: number, payload, identity }: Call): Promise<Uint8Array> {
    const userId = userOf(identity);
    if (number === listMessagesCmd) return this.listMessages(this.#decode(ListMessagesRequestSchema, payload), userId);
    if (number === listRangesCmd) return this.listRanges(this.#decode(ListRangesRequestSchema, payload), userId);
    throw new ChappeError("UNKNOWN_METHOD");
  }

  async listMessages(request: ListMessagesRequest, userId: bigint): Promise<Uint8Array> {
    checkPlaces(request);
    const { conversationId } = request;
    const [readable] = (await readableRanges(this.#options, userId, [conversationId])) as [ReadableRange];
    const { headSeq, firstSeq } = readable;
    const maxMessages = request.limit === 0 ? limits.defaultPageMessages : request.limit;
    const bounds = { conversationId, maxMessages, maxBytes: limits.maxPageBytes };
    const forward = (fromSeq: number) => readPage(this.reads, { ...bounds, fromSeq, toSeq: headSeq }, readable);
    if (request.fromSeq > 0n) {
      checkCommitted(Number(request.fromSeq), headSeq + 1, readable);
      return forward(Number(request.fromSeq));
    }
    if (request.fromTimeMs > 0n) {
      const span = { fromSeq: Math.max(1, firstSeq), toSeq: headSeq };
      return forward(await findTime(this.reads, conversationId, span, Number(request.fromTimeMs)));
    }
    if (request.aroundSeq > 0n) {
      const seq = Number(request.aroundSeq);
      checkCommitted(seq, headSeq, readable);
      return readPageAround(this.reads, { ...bounds, seq }, readable);
    }
    const toSeq = request.beforeSeq > 0n ? Number(request.beforeSeq) - 1 : headSeq;
    return readPage(this.reads, { ...bounds, fromSeq: 1, toSeq, fromEnd: true }, readable);
  }

  async listRanges(request: ListRangesRequest, userId: bigint): Promise<Uint8Array> {
    const ids = request.ranges.map(({ conversationId }) => conversationId);
    const readable = await readableRanges(this.#options, userId, ids);
    const ranges = request.ranges.map(({ conversationId, fromSeq, toSeq }, i) => {
      const { headSeq } = readable[i]!;
      const wanted = { conversationId, fromSeq: Number(fromSeq), toSeq: toSeq > 0n ? Number(toSeq) : headSeq };
      return { wanted, readable: readable[i]! };
    });
    const bounds = { maxMessages: limits.maxPageMessages, maxBytes: limits.maxPageBytes };
    const pages = await readPages(this.reads, ranges, bounds);
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

/** A MsgReader over the tiers. */
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
    stats: () => reader.reads.stats(),
  };
}
