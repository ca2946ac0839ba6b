import { encodeMessagePage } from "@chappe/mesh/codec/message-events.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { MessageRun, MessageStore } from "@chappe/mesh/ports/message-store.ts";

/** What a caller may see of a conversation now. */
export interface ReadableRange {
  /** 0 when there is nothing to read. */
  readonly firstSeq: number;
  /** Newest committed seq that the caller may read; firstSeq - 1 when none. */
  readonly headSeq: number;
}

/** Which messages. */
export interface PageWanted {
  readonly conversationId: Uint8Array;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** Keeps the newest instead of the oldest when it must cut. */
  readonly fromEnd: boolean;
}

/** Clamps a conversation to what the user may read. NOT_A_MEMBER when the user never was one. */
export async function readableRange(
  { store, membership }: { store: MessageStore; membership: MembershipViews },
  userId: bigint,
  conversationId: Uint8Array,
): Promise<ReadableRange> {
  if (!isGroupId(conversationId)) {
    if (!directUsers(conversationId).includes(userId)) throw new ChappeError("NOT_A_MEMBER");
    const [headSeq = 0] = await store.heads([conversationId]);
    return { firstSeq: 1, headSeq };
  }
  const row = await membership.memberOf(conversationId, userId);
  if (row === undefined) throw new ChappeError("NOT_A_MEMBER");
  const [headSeq = 0] = await store.heads([conversationId]);
  return { firstSeq: row.joinSeq, headSeq: row.leaveSeq === 0 ? headSeq : Math.min(headSeq, row.leaveSeq - 1) };
}

/** Throws HOLE unless the runs follow each other without a gap, from or up to the edge that was asked for. */
function checkContiguous(runs: readonly MessageRun[], wanted: PageWanted): void {
  const first = runs[0];
  const last = runs.at(-1);
  const hole = (seq: number): ChappeError => new ChappeError("HOLE", `seq ${seq} is missing`);
  if (first === undefined || last === undefined) throw hole(wanted.fromSeq);
  if (!wanted.fromEnd && first.firstSeq !== wanted.fromSeq) throw hole(wanted.fromSeq);
  const end = last.firstSeq + last.count - 1;
  if (wanted.fromEnd && end !== wanted.toSeq) throw hole(wanted.toSeq);
  for (let i = 1; i < runs.length; i++) {
    const expected = runs[i - 1]!.firstSeq + runs[i - 1]!.count;
    if (runs[i]!.firstSeq !== expected) throw hole(expected);
  }
}

/** An encoded ListMessagesResponse with these messages; a range outside `readable` gives a page without messages. */
export async function readPage(store: MessageStore, wanted: PageWanted, readable: ReadableRange): Promise<Uint8Array> {
  const { conversationId, maxMessages, maxBytes, fromEnd } = wanted;
  const fromSeq = Math.max(wanted.fromSeq, readable.firstSeq, 1);
  const toSeq = Math.min(wanted.toSeq, readable.headSeq);
  const { headSeq, firstSeq } = readable;
  if (fromSeq > toSeq) return encodeMessagePage({ conversationId, runs: [], headSeq, firstSeq });
  const runs = await store.readRange(conversationId, fromSeq, toSeq, { maxMessages, maxBytes, fromEnd });
  checkContiguous(runs, { ...wanted, fromSeq, toSeq });
  return encodeMessagePage({ conversationId, runs: runs.map((run) => run.bytes), headSeq, firstSeq });
}
