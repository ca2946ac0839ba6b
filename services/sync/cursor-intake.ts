import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdOfKey, conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipView, MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import type { CursorEntry } from "./cursor-map.ts";
import { clampCursor, createEarlyCursors } from "./early-cursors.ts";

/** Lets cursors in: only of members, never beyond the head. */
export interface CursorIntake {
  /** Raises what may be raised; cursors of others than members are left out. Rejects as `onCursor` throws. */
  take(cursors: readonly CursorEntry[]): Promise<void>;
  /** Raises the cursor of a member, past ones included. Rejects with NOT_A_MEMBER, and as `onCursor` throws. */
  takeOne(cursor: CursorEntry): Promise<void>;
  close(): Promise<void>;
}

/** What createCursorIntake needs. */
export interface CursorIntakeOptions {
  readonly store: Pick<MessageStore, "heads">;
  readonly membership: MembershipViews;
  /** A cursor that may stand as it is. */
  readonly onCursor: (cursor: CursorEntry) => void;
}

/** Makes the intake. */
export function createCursorIntake({ store, membership, onCursor }: CursorIntakeOptions): CursorIntake {
  const early = createEarlyCursors({
    store,
    onReached(cursor) {
      try {
        onCursor(cursor);
      } catch {
        // Nobody waits for this cursor any more; the next one says as much and more.
      }
    },
  });
  const viewOf = (key: string): MembershipView | Promise<MembershipView> => {
    const id = conversationIdOfKey(key);
    return membership.get(id) ?? membership.load(id);
  };
  const admit = (cursor: CursorEntry, view: MembershipView, head: number): boolean => {
    const row = view.member(cursor.userId);
    if (row === undefined) return false;
    const reached = clampCursor(cursor, row.leaveSeq === 0 ? head : Math.min(head, row.leaveSeq - 1));
    if (Math.max(reached.deliveredSeq, reached.readSeq) > 0) onCursor(reached);
    // A push may overtake the commit, but not by more than the writer has in hand.
    const beyond = Math.max(cursor.deliveredSeq, cursor.readSeq) - head;
    if (row.leaveSeq === 0 && beyond > 0 && beyond <= limits.maxWriterMessagesInFlight) early.add(cursor);
    return true;
  };
  const take = async (cursors: readonly CursorEntry[]): Promise<boolean> => {
    const keys = [...new Set(cursors.map(({ conversation }) => conversation))];
    const views = await Promise.all(keys.map(viewOf));
    const heads = await store.heads(keys.map(conversationIdOfKey));
    const places = new Map(keys.map((key, index) => [key, index]));
    let all = true;
    for (const cursor of cursors) {
      const place = places.get(cursor.conversation)!;
      all = admit(cursor, views[place]!, heads[place]!) && all;
    }
    return all;
  };
  return {
    async take(cursors) {
      await take(cursors);
    },
    async takeOne(cursor) {
      if (!(await take([cursor]))) throw new ChappeError("NOT_A_MEMBER");
    },
    close: () => early.close(),
  };
}

/** The cursor of wire fields. */
export function cursorOf(conversationId: Uint8Array, userId: bigint, delivered: bigint, read: bigint): CursorEntry {
  const conversation = conversationKey(conversationId);
  return { conversation, userId, deliveredSeq: Number(delivered), readSeq: Number(read) };
}
