import { encodeMessagePage } from "@chappe/mesh/codec/message-events.ts";
import { cutRuns } from "@chappe/mesh/engines/cut-runs.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { RangeBounds } from "@chappe/mesh/ports/hot-window.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { SeqSpan } from "./range-fill.ts";
import type { RangeWanted, TieredReads } from "./tiered-reads.ts";

/** What a caller may see of a conversation now. */
export interface ReadableRange {
  /** 0 when there is nothing to read. */
  readonly firstSeq: number;
  /** Newest committed seq that the caller may read; firstSeq - 1 when none. */
  readonly headSeq: number;
}

/** Clamps conversations to what the user may read, in the order asked. NOT_A_MEMBER when the user never was one of any. */
export async function readableRanges(
  { store, membership }: { store: MessageStore; membership: MembershipViews },
  userId: bigint,
  conversationIds: readonly Uint8Array[],
): Promise<readonly ReadableRange[]> {
  const heads = await store.heads(conversationIds);
  const stays = await Promise.all(conversationIds.map((id, i) => stayOf(membership, userId, id, heads[i] ?? 0)));
  return stays.map(({ joinSeq, leaveSeq }, i) => {
    const headSeq = heads[i] ?? 0;
    return { firstSeq: joinSeq, headSeq: leaveSeq === 0 ? headSeq : Math.min(headSeq, leaveSeq - 1) };
  });
}

async function stayOf(membership: MembershipViews, userId: bigint, id: Uint8Array, headSeq: number) {
  if (!isGroupId(id)) {
    if (!directUsers(id).includes(userId)) throw new ChappeError("NOT_A_MEMBER");
    return { joinSeq: 1, leaveSeq: 0 };
  }
  const row = await membership.memberAt(id, userId, headSeq);
  if (row === undefined) throw new ChappeError("NOT_A_MEMBER");
  return row;
}

/** An encoded ListMessagesResponse with these messages; a range outside `readable` gives a page without messages. */
export async function readPage(reads: TieredReads, wanted: RangeWanted, readable: ReadableRange): Promise<Uint8Array> {
  const runs = await readClamped(reads, wanted, readable);
  return encodePage(wanted.conversationId, runs, readable);
}

/** A page with messages on both sides of `seq`: about half of the bounds before it, the rest from it on. */
export async function readPageAround(
  reads: TieredReads,
  { conversationId, seq, maxMessages, maxBytes }: RangeBounds & { conversationId: Uint8Array; seq: number },
  readable: ReadableRange,
): Promise<Uint8Array> {
  const before = Math.floor(maxMessages / 2);
  const half = { conversationId, maxBytes: Math.ceil(maxBytes / 2) };
  const older = { ...half, fromSeq: 1, toSeq: seq - 1, maxMessages: before, fromEnd: true };
  const newer = { ...half, fromSeq: seq, toSeq: readable.headSeq, maxMessages: maxMessages - before };
  const parts = await Promise.all([
    before === 0 ? [] : readClamped(reads, older, readable),
    readClamped(reads, newer, readable),
  ]);
  return encodePage(conversationId, parts.flat(), readable);
}

/** A range of each of several conversations. */
interface WantedOfMany {
  readonly wanted: SeqSpan & { readonly conversationId: Uint8Array };
  readonly readable: ReadableRange;
}

/**
 * A page for each range, in order, with the bounds shared by all: those that come first get theirs. Several are read at
 * once, since seqs say how many messages a range has; bytes are cut when they are there.
 */
export async function readPages(
  reads: TieredReads,
  ranges: readonly WantedOfMany[],
  bounds: { readonly maxMessages: number; readonly maxBytes: number },
): Promise<readonly Uint8Array[]> {
  let messagesLeft = bounds.maxMessages;
  const spans = ranges.map(({ wanted, readable }) => {
    const fromSeq = Math.max(wanted.fromSeq, readable.firstSeq);
    const toSeq = Math.min(wanted.toSeq, readable.headSeq, fromSeq + messagesLeft - 1);
    messagesLeft -= Math.max(0, toSeq - fromSeq + 1);
    return { ...bounds, ...wanted, fromSeq, toSeq };
  });
  const read: (readonly MessageRun[])[] = [];
  while (read.length < spans.length) {
    const next = spans.slice(read.length, read.length + limits.maxRangesAtOnce);
    read.push(
      ...(await Promise.all(next.map((span, i) => readClamped(reads, span, ranges[read.length + i]!.readable)))),
    );
  }
  let bytesLeft = bounds.maxBytes;
  return read.map((runs, i) => {
    const { wanted, readable } = ranges[i]!;
    const all = { fromSeq: 1, toSeq: readable.headSeq, maxMessages: bounds.maxMessages };
    const kept = bytesLeft <= 0 ? [] : cutRuns(runs, { ...all, maxBytes: bytesLeft });
    bytesLeft -= kept.reduce((sum, run) => sum + run.bytes.length, 0);
    return encodePage(wanted.conversationId, kept, readable);
  });
}

async function readClamped(
  reads: TieredReads,
  wanted: RangeWanted,
  { firstSeq, headSeq }: ReadableRange,
): Promise<readonly MessageRun[]> {
  const fromSeq = Math.max(wanted.fromSeq, firstSeq, 1);
  const toSeq = Math.min(wanted.toSeq, headSeq);
  return fromSeq > toSeq ? [] : reads.readRange({ ...wanted, fromSeq, toSeq });
}

function encodePage(
  conversationId: Uint8Array,
  runs: readonly MessageRun[],
  { firstSeq, headSeq }: ReadableRange,
): Uint8Array {
  return encodeMessagePage({ conversationId, runs: runs.map((run) => run.bytes), headSeq, firstSeq });
}
