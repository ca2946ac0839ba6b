import { randomUUIDv7 } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { MemberRole } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdBytes, conversationKey, isGroupId, newGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import type { MemberRow, MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { identityKey } from "@chappe/mesh/rpc/identity.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import { pageToken, parsePageToken } from "@chappe/mesh/rpc/page-token.ts";
import {
  Code,
  ConnectError,
  createClient,
  type HandlerContext,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";

/** What createGroups needs. */
export interface GroupsOptions {
  readonly store: MessageStore;
  readonly business: BusinessStore;
  readonly membership: MembershipViews;
  /** To MessageService. */
  readonly transport: Transport;
  /** There is a change in the outbox of the business store. @default does nothing */
  readonly onChange?: () => void;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

/** One member that comes or goes. */
interface Change {
  readonly userId: bigint;
  readonly joined: boolean;
  readonly role: MemberRole;
}

const userIdBytes = 8;

const isPresent = (row: MemberRow): boolean => row.leaveSeq === 0;

function userKey(userId: bigint): Uint8Array {
  const key = Buffer.alloc(userIdBytes);
  key.writeBigUInt64BE(userId);
  return key;
}

class Groups {
  readonly #options: GroupsOptions;
  /** The change in hand of each group: two at once could both add the same member or overrun the limit. */
  readonly #changing = new Map<string, Promise<unknown>>();
  /** Changes running or waiting. */
  #changes = 0;
  readonly #messages;

  constructor(options: GroupsOptions) {
    this.#options = options;
    this.#messages = createClient(MessageService, options.transport);
  }

  async createGroup({ title, memberIds }: { title: string; memberIds: bigint[] }, context: HandlerContext) {
    const ownerId = context.values.get(identityKey).userId;
    const others = [...new Set(memberIds)].filter((userId) => userId !== ownerId);
    this.#checkSize(others.length + 1);
    await this.#checkUsers(others);
    const conversationId = newGroupId();
    const createdTimeMs = (this.#options.now ?? Date.now)();
    const owner: Change = { userId: ownerId, joined: true, role: MemberRole.OWNER };
    const members = others.map((userId): Change => ({ userId, joined: true, role: MemberRole.MEMBER }));
    await this.#oneAtATime(conversationId, context, async () => {
      await this.#options.business.insertGroup({ conversationId, title, ownerId, createdTimeMs });
      await this.#change(conversationId, ownerId, [owner, ...members], context);
    });
    return { group: { conversationId, title, ownerId, createdTimeMs: BigInt(createdTimeMs), version: 1n } };
  }

  async updateGroup({ conversationId, title }: { conversationId: Uint8Array; title: string }, context: HandlerContext) {
    const callerId = context.values.get(identityKey).userId;
    await this.#rowsFor(callerId, conversationId, MemberRole.ADMIN);
    const { version } = await this.#options.business.updateGroup(conversationId, { title });
    this.#options.onChange?.();
    return { version: BigInt(version) };
  }

  async addMembers(
    { conversationId, userIds }: { conversationId: Uint8Array; userIds: bigint[] },
    context: HandlerContext,
  ) {
    return this.#oneAtATime(conversationId, context, () => this.#add(conversationId, userIds, context));
  }

  async #add(
    conversationId: Uint8Array,
    userIds: readonly bigint[],
    context: HandlerContext,
  ): Promise<{ seq: bigint }> {
    const callerId = context.values.get(identityKey).userId;
    const rows = await this.#rowsFor(callerId, conversationId, MemberRole.ADMIN);
    const present = new Set(rows.filter(isPresent).map((row) => row.userId));
    const fresh = [...new Set(userIds)].filter((userId) => !present.has(userId));
    if (fresh.length === 0) return { seq: 0n };
    this.#checkSize(present.size + fresh.length);
    await this.#checkUsers(fresh);
    const changes = fresh.map((userId): Change => ({ userId, joined: true, role: MemberRole.MEMBER }));
    return { seq: BigInt(await this.#change(conversationId, callerId, changes, context)) };
  }

  async removeMembers(
    { conversationId, userIds }: { conversationId: Uint8Array; userIds: bigint[] },
    context: HandlerContext,
  ) {
    return this.#oneAtATime(conversationId, context, () => this.#remove(conversationId, userIds, context));
  }

  async #remove(
    conversationId: Uint8Array,
    userIds: readonly bigint[],
    context: HandlerContext,
  ): Promise<{ seq: bigint }> {
    const callerId = context.values.get(identityKey).userId;
    const leaves = userIds.every((userId) => userId === callerId);
    const rows = await this.#rowsFor(callerId, conversationId, leaves ? MemberRole.MEMBER : MemberRole.ADMIN);
    const wanted = new Set(userIds);
    const going = rows.filter((row) => isPresent(row) && wanted.has(row.userId));
    if (going.some((row) => row.role === MemberRole.OWNER))
      throw new ChappeError("PERMISSION_DENIED", "the owner cannot be removed");
    if (going.length === 0) return { seq: 0n };
    const changes = going.map(({ userId }): Change => ({ userId, joined: false, role: MemberRole.UNSPECIFIED }));
    return { seq: BigInt(await this.#change(conversationId, callerId, changes, context)) };
  }

  async listGroups({ pageSize, pageToken: token }: { pageSize: number; pageToken: string }, context: HandlerContext) {
    const { store, business } = this.#options;
    const limit = pageSize === 0 ? 100 : pageSize;
    // Group ids are those with the top bit set: the page starts behind the last direct conversation.
    const after =
      parsePageToken(token, conversationIdBytes) ?? new Uint8Array(conversationIdBytes).fill(0xff).fill(0x7f, 0, 1);
    const userId = context.values.get(identityKey).userId;
    const rows = await store.conversationsOf(userId, { limit, afterConversationId: after });
    const groups = await business.groups(rows.filter(isPresent).map((row) => row.conversationId));
    const last = rows.length === limit ? rows.at(-1) : undefined;
    return {
      groups: groups.map((group) => ({
        ...group,
        createdTimeMs: BigInt(group.createdTimeMs),
        version: BigInt(group.version),
      })),
      nextPageToken: last === undefined ? "" : pageToken(last.conversationId),
    };
  }

  async listMembers(
    { conversationId, pageSize, pageToken: token }: { conversationId: Uint8Array; pageSize: number; pageToken: string },
    context: HandlerContext,
  ) {
    const rows = await this.#rowsFor(context.values.get(identityKey).userId, conversationId, MemberRole.MEMBER);
    const after = parsePageToken(token, userIdBytes);
    const afterId = after === undefined ? 0n : Buffer.from(after).readBigUInt64BE();
    const limit = pageSize === 0 ? 500 : pageSize;
    const rest = rows.filter((row) => isPresent(row) && row.userId > afterId);
    const page = rest.slice(0, limit);
    return {
      members: page.map(({ userId, role, joinSeq }) => ({
        userId,
        role: role as MemberRole,
        joinSeq: BigInt(joinSeq),
      })),
      nextPageToken: rest.length > limit ? pageToken(userKey(page.at(-1)!.userId)) : "",
    };
  }

  /** Runs a change behind those of the same group. OVERLOADED when limits.maxGroupChanges run or wait. */
  async #oneAtATime<T>(conversationId: Uint8Array, context: HandlerContext, work: () => Promise<T>): Promise<T> {
    if (this.#changes >= limits.maxGroupChanges) {
      const { overloadRetryAfterMs: retryAfterMs } = limits;
      throw new ChappeError("OVERLOADED", "too many groups are being changed", { retryAfterMs });
    }
    this.#changes++;
    const key = conversationKey(conversationId);
    const start = (): Promise<T> => {
      if (context.signal.aborted) throw abandoned(context.signal, "nothing was changed");
      return work();
    };
    const run = (this.#changing.get(key) ?? Promise.resolve()).then(start);
    const settled = run.catch(() => undefined);
    this.#changing.set(key, settled);
    try {
      return await run;
    } finally {
      this.#changes--;
      if (this.#changing.get(key) === settled) this.#changing.delete(key);
    }
  }

  #checkSize(members: number): void {
    if (members > limits.maxGroupMembers)
      throw new ChappeError("LIMIT_REACHED", `a group holds at most ${limits.maxGroupMembers} members`);
  }

  async #checkUsers(userIds: readonly bigint[]): Promise<void> {
    const known = new Set((await this.#options.business.usersById(userIds)).map((row) => row.userId));
    const unknown = userIds.filter((userId) => !known.has(userId));
    if (unknown.length > 0) throw new ChappeError("NOT_FOUND", `there is no user ${unknown.slice(0, 5).join(", ")}`);
  }

  async #rowsFor(callerId: bigint, conversationId: Uint8Array, atLeast: MemberRole): Promise<readonly MemberRow[]> {
    if (!isGroupId(conversationId)) throw invalidArgument("conversation_id", "group", "is not a group's");
    const rows = await this.#options.store.members(conversationId);
    const caller = rows.find((row) => row.userId === callerId);
    if (caller === undefined || !isPresent(caller)) throw new ChappeError("NOT_A_MEMBER");
    if (caller.role < atLeast) throw new ChappeError("PERMISSION_DENIED");
    return rows;
  }

  /** Appends the change to the group's log and waits until it is sequenced; answers its seq. */
  async #change(
    conversationId: Uint8Array,
    byUserId: bigint,
    items: readonly Change[],
    context: HandlerContext,
  ): Promise<number> {
    const { store, membership } = this.#options;
    const clientMessageId = Uint8Array.from(Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex"));
    const { signal } = context;
    const timeoutMs = Math.min(context.timeoutMs() ?? limits.defaultCallTimeoutMs, limits.maxCallTimeoutMs);
    const deadlineMs = Date.now() + timeoutMs;
    const request = { conversationId, clientMessageId, membership: { byUserId, items: [...items] } };
    await this.#messages.appendMembership(request, { timeoutMs });
    let waitMs: number = limits.membershipPollMinMs;
    while (Date.now() < deadlineMs && !signal.aborted) {
      const [row] = await store.findSends([{ conversationId, senderId: byUserId, clientMessageId }]);
      if (row !== undefined) {
        membership.invalidate(conversationId);
        return row.seq;
      }
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(limits.membershipPollMaxMs, waitMs * 2);
    }
    const text = "the change is on the log but was not seen sequenced in time";
    throw signal.aborted ? abandoned(signal, text) : new ChappeError("DEADLINE_EXCEEDED", text);
  }
}

/** Why a call whose signal is aborted ended: its time was over, or its caller has gone. */
function abandoned(signal: AbortSignal, text: string): ChappeError {
  const late = ConnectError.from(signal.reason).code === Code.DeadlineExceeded;
  return new ChappeError(late ? "DEADLINE_EXCEEDED" : "CANCELLED", text);
}

/** Makes the implementation of GroupService. */
export function createGroups(options: GroupsOptions): ServiceImpl<typeof GroupService> {
  const groups = new Groups(options);
  return {
    createGroup: (request, context) => groups.createGroup(request, context),
    updateGroup: (request, context) => groups.updateGroup(request, context),
    addMembers: (request, context) => groups.addMembers(request, context),
    removeMembers: (request, context) => groups.removeMembers(request, context),
    listGroups: (request, context) => groups.listGroups(request, context),
    listMembers: (request, context) => groups.listMembers(request, context),
  };
}
