import { conversationKey, directConversationId, newGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { MemberRow } from "@chappe/mesh/ports/message-store.ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CursorIntake, createCursorIntake } from "./cursor-intake.ts";
import type { CursorEntry } from "./cursor-map.ts";

const group = newGroupId();
const groupKey = conversationKey(group);
const directKey = conversationKey(directConversationId(1n, 2n));
const row = (userId: bigint, leaveSeq = 0): MemberRow => ({
  conversationId: group,
  userId,
  role: leaveSeq === 0 ? 1 : 0,
  joinSeq: 1,
  leaveSeq,
});

let heads: Map<string, number>;
let raised: CursorEntry[];
let onRaise: () => void;
let intake: CursorIntake;
beforeEach(() => {
  heads = new Map([
    [groupKey, 10],
    [directKey, 3],
  ]);
  raised = [];
  onRaise = () => {};
  intake = createCursorIntake({
    store: { heads: async (ids) => ids.map((id) => heads.get(conversationKey(id)) ?? 0) },
    membership: createMembershipViews({ store: { members: async () => [row(1n), row(2n, 6)] } }),
    onCursor(cursor) {
      raised.push(cursor);
      onRaise();
    },
  });
});
afterEach(() => intake.close());

const delivered = (conversation: string, userId: bigint, deliveredSeq: number): CursorEntry => ({
  conversation,
  userId,
  deliveredSeq,
  readSeq: 0,
});

describe("cursors", () => {
  it("of a user who is no member are left out, and refused when they come alone", async () => {
    await intake.take([delivered(groupKey, 9n, 4), delivered(directKey, 9n, 1), delivered(groupKey, 1n, 4)]);
    expect(raised).toEqual([delivered(groupKey, 1n, 4)]);
    await expect(intake.takeOne(delivered(groupKey, 9n, 4))).rejects.toMatchObject({ row: { name: "NOT_A_MEMBER" } });
    expect(raised).toHaveLength(1);
  });

  it("go no further than the head, and for past members than what they may read", async () => {
    const far = { ...delivered(directKey, 2n, 1e12), readSeq: 1e12 };
    await intake.take([far, delivered(groupKey, 2n, 9)]);
    expect(raised).toEqual([{ ...far, deliveredSeq: 3, readSeq: 3 }, delivered(groupKey, 2n, 5)]);
  });

  it("of a conversation without messages make nothing", async () => {
    const empty = conversationKey(directConversationId(1n, 77n));
    await intake.take([delivered(empty, 1n, 5)]);
    expect(raised).toEqual([]);
  });

  it("that are ahead of the commit follow the head, not beyond it", async () => {
    await intake.take([delivered(groupKey, 1n, 12)]);
    expect(raised).toEqual([delivered(groupKey, 1n, 10)]);
    heads.set(groupKey, 12);
    await new Promise<void>((resolve) => {
      onRaise = () => raised.at(-1)!.deliveredSeq === 12 && resolve();
    });
    expect(raised.every(({ deliveredSeq }) => deliveredSeq <= 12)).toBe(true);
  });
});
