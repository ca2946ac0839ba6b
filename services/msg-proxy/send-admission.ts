import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { directUsers, isGroupId } from "@chappe/mesh/ids/conversation-id.ts";
import { isUuidV7, uuidV7TimeMs } from "@chappe/mesh/ids/uuid-v7.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { MembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { BusinessStore } from "@chappe/mesh/ports/business-store.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import { createKnownUsers } from "./known-users.ts";

/** What createSendAdmission needs. */
export interface SendAdmissionOptions {
  readonly membership: MembershipViews;
  readonly users: Pick<BusinessStore, "usersById">;
  /** @default Date.now */
  readonly now?: () => number;
  /** @default limits.sendsPerSecondPerUser */
  readonly sendsPerSecondPerUser?: number;
}

/** Decides before the log what the log will not judge again: rate, age of ids, membership. */
export interface SendAdmission {
  /** Throws RATE_LIMITED. */
  takeRate(userId: bigint, messages: number): void;
  /** Throws INVALID_ARGUMENT or ID_TIME_OUT_OF_RANGE. */
  checkId(clientMessageId: Uint8Array, field: string): void;
  /** True at once when a fresh view says so; otherwise settles, or rejects with NOT_A_MEMBER or NOT_FOUND. */
  authorise(userId: bigint, conversationId: Uint8Array): true | Promise<void>;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Users whose rate is remembered. */
const maxRemembered = 100_000;

/** An admission with full buckets. */
export function createSendAdmission(options: SendAdmissionOptions): SendAdmission {
  const { membership, users, now = Date.now, sendsPerSecondPerUser = limits.sendsPerSecondPerUser } = options;
  const burst = sendsPerSecondPerUser * (limits.sendBurstPerUser / limits.sendsPerSecondPerUser);
  const buckets = new Map<bigint, Bucket>();
  const known = createKnownUsers(users);

  const checkUser = async (userId: bigint): Promise<void> => {
    if (!(await known.exists(userId)))
      throw new ChappeError("NOT_FOUND", `conversation_id: there is no user ${userId}`);
  };

  const authoriseDirect = (userId: bigint, conversationId: Uint8Array): true | Promise<void> => {
    const [a, b] = directUsers(conversationId);
    if (userId !== a && userId !== b) throw new ChappeError("NOT_A_MEMBER");
    if (a > b) throw invalidArgument("conversation_id", "order", "the smaller user id comes first");
    const other = userId === a ? b : a;
    return other === userId || known.has(other) ? true : checkUser(other);
  };

  const checkMember = async (userId: bigint, conversationId: Uint8Array): Promise<void> => {
    const row = await membership.memberOf(conversationId, userId);
    if (row?.leaveSeq !== 0) throw new ChappeError("NOT_A_MEMBER");
  };

  return {
    takeRate(userId, messages) {
      const atMs = now();
      let bucket = buckets.get(userId);
      if (bucket === undefined) {
        if (buckets.size >= maxRemembered) buckets.clear();
        bucket = { tokens: burst, atMs };
        buckets.set(userId, bucket);
      }
      // A clock that is set back takes nothing away: an hour of missing tokens would be an hour of refusals.
      const passedMs = Math.max(0, atMs - bucket.atMs);
      bucket.tokens = Math.min(burst, bucket.tokens + (passedMs / 1000) * sendsPerSecondPerUser);
      bucket.atMs = atMs;
      if (bucket.tokens < messages) {
        const retryAfterMs = Math.ceil(((messages - bucket.tokens) / sendsPerSecondPerUser) * 1000);
        throw new ChappeError("RATE_LIMITED", undefined, { retryAfterMs });
      }
      bucket.tokens -= messages;
    },
    checkId(clientMessageId, field) {
      if (!isUuidV7(clientMessageId)) {
        throw invalidArgument(field, "uuid_v7", "must be a UUIDv7 of 16 bytes");
      }
      const ageMs = now() - uuidV7TimeMs(clientMessageId);
      if (ageMs > limits.maxIdAgeMs || ageMs < -limits.maxIdAheadMs) throw new ChappeError("ID_TIME_OUT_OF_RANGE");
    },
    authorise(userId, conversationId) {
      if (!isGroupId(conversationId)) return authoriseDirect(userId, conversationId);
      if (membership.get(conversationId)?.isMember(userId)) return true;
      return checkMember(userId, conversationId);
    },
  };
}
