import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { createMemoryBusinessStore } from "@chappe/mesh/engines/memory-stores/create-memory-business-store.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import { identityKey, publicIdentity } from "@chappe/mesh/rpc/identity.ts";
import {
  createContextValues,
  createHandlerContext,
  createRouterTransport,
  type HandlerContext,
} from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { createGroups } from "./groups.ts";

/** Groups over a log whose records nobody sequences, so that every change waits. */
function startGroups() {
  const store = createMemoryMessageStore();
  const looked: (() => void)[] = [];
  const watched = new Proxy(store, {
    get(target, name) {
      if (name === "findSends") for (const wake of looked.splice(0)) wake();
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const transport = createRouterTransport((router) => router.service(MessageService, { appendMembership: () => ({}) }));
  const membership = createMembershipViews({ store });
  const groups = createGroups({ store: watched, business: createMemoryBusinessStore(), membership, transport });
  const nextLook = (): Promise<void> => new Promise((resolve) => void looked.push(resolve));
  const create = (context: HandlerContext) =>
    groups.createGroup(
      { $typeName: "chappe.business.v1.CreateGroupRequest", title: "x", memberIds: [] },
      context,
    ) as Promise<unknown>;
  return { create, nextLook };
}

function contextOf(more: { requestSignal?: AbortSignal; timeoutMs?: number }) {
  const contextValues = createContextValues().set(identityKey, { ...publicIdentity, kind: "user", userId: 7n });
  const common = { protocolName: "test", requestMethod: "POST", url: "test:/", contextValues };
  return createHandlerContext({ service: GroupService, method: GroupService.method.createGroup, ...common, ...more });
}

describe("a change of a group", () => {
  it("that nobody waits for any more ends at once", async () => {
    const { create, nextLook } = startGroups();
    const caller = new AbortController();
    const change = create(contextOf({ requestSignal: caller.signal }));
    await nextLook();
    caller.abort();
    await expect(change).rejects.toMatchObject({ row: { name: "CANCELLED" } });
  });

  it("ends with its deadline", async () => {
    const { create } = startGroups();
    await expect(create(contextOf({ timeoutMs: 20 }))).rejects.toMatchObject({ row: { name: "DEADLINE_EXCEEDED" } });
  });

  it("is refused, retryably, when too many run or wait", async () => {
    const { create } = startGroups();
    const caller = new AbortController();
    const context = contextOf({ requestSignal: caller.signal });
    const changes = Array.from({ length: limits.maxGroupChanges }, () => create(context));
    const ended = Promise.allSettled(changes);
    const refused = { row: { name: "OVERLOADED", retryable: true }, retryAfterMs: limits.overloadRetryAfterMs };
    // The refusal comes as soon as the earlier calls have passed their look-ups.
    await expect(create(context)).rejects.toMatchObject(refused);
    caller.abort();
    await ended;
    const again = new AbortController();
    again.abort();
    await expect(create(contextOf({ requestSignal: again.signal }))).rejects.toMatchObject({
      row: { name: "CANCELLED" },
    });
  });
});
