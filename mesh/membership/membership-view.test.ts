import { describe, expect, it } from "vitest";
import { directConversationId, newGroupId } from "../ids/conversation-id.ts";
import type { MemberRow } from "../ports/message-store.ts";
import { createMembershipViews } from "./membership-view.ts";

const group = newGroupId();
const row = (userId: bigint, joinSeq: number, leaveSeq = 0): MemberRow => ({
  conversationId: group,
  userId,
  role: leaveSeq === 0 ? 1 : 0,
  joinSeq,
  leaveSeq,
});
const createStore = (rows: MemberRow[]) => ({ rows, reads: 0, members: async (): Promise<MemberRow[]> => [...rows] });

describe("membership views", () => {
  it("knows the users of a direct conversation without a store", async () => {
    const views = createMembershipViews({ store: createStore([]) });
    const view = views.get(directConversationId(5n, 3n));
    expect(view?.readersAt(1)).toEqual([3n, 5n]);
    expect(view?.isMember(4n)).toBe(false);
  });

  it("shows members only what lies between join and leave", async () => {
    const views = createMembershipViews({ store: createStore([row(1n, 1), row(2n, 4), row(3n, 1, 6)]) });
    const view = await views.load(group);
    expect(view.readersAt(3)).toEqual([1n, 3n]);
    expect(view.readersAt(5)).toEqual([1n, 2n, 3n]);
    expect(view.readersAt(6)).toEqual([1n, 2n]);
    expect(view.isMember(3n)).toBe(false);
  });

  it("keeps a change that the store does not show yet", async () => {
    const store = createStore([row(1n, 1)]);
    const views = createMembershipViews({ store });
    await views.apply(group, 5, [{ userId: 2n, joined: true, role: 1 }]);
    views.invalidate(group);
    expect((await views.load(group)).isMember(2n)).toBe(true);
    await views.apply(group, 7, [{ userId: 2n, joined: false, role: 0 }]);
    store.rows.push(row(2n, 5));
    views.invalidate(group);
    expect((await views.load(group)).isMember(2n)).toBe(false);
  });

  it("ignores a change older than what it knows", async () => {
    const views = createMembershipViews({ store: createStore([row(2n, 9)]) });
    await views.apply(group, 4, [{ userId: 2n, joined: false, role: 0 }]);
    expect((await views.load(group)).isMember(2n)).toBe(true);
  });

  it("does not answer from a view that is too old", async () => {
    let nowMs = 1_000;
    const views = createMembershipViews({ store: createStore([row(1n, 1)]), now: () => nowMs, maxAgeMs: 50 });
    await views.load(group);
    expect(views.get(group)?.isMember(1n)).toBe(true);
    nowMs += 51;
    expect(views.get(group)).toBeUndefined();
  });

  it("knows of a leave as soon as the head is past it, however young the view", async () => {
    const store = createStore([row(1n, 1), row(2n, 1)]);
    const views = createMembershipViews({ store });
    expect(await views.memberAt(group, 2n, 3)).toMatchObject({ leaveSeq: 0 });
    store.rows[1] = row(2n, 1, 4);
    expect(await views.memberOf(group, 2n)).toMatchObject({ leaveSeq: 0 });
    expect(await views.memberAt(group, 2n, 3)).toMatchObject({ leaveSeq: 0 });
    expect(await views.memberAt(group, 2n, 4)).toMatchObject({ leaveSeq: 4 });
  });

  it("shares a read among those who ask at the same head, and reads again for a later one", async () => {
    let reads = 0;
    const store = {
      members: async () => {
        reads++;
        return [row(1n, 1)];
      },
    };
    const views = createMembershipViews({ store });
    await Promise.all([views.memberAt(group, 1n, 3), views.memberAt(group, 1n, 3), views.memberAt(group, 1n, 4)]);
    expect(reads).toBe(2);
    await views.memberAt(group, 1n, 4);
    expect(reads).toBe(2);
  });
});
