import { create, getOption, toBinary } from "@bufbuild/protobuf";
import { ReportDeliveredRequestSchema, SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { cmd } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { conversationIdOfKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { noBytes, type Router } from "@chappe/mesh/rpc/call.ts";
import { svidOf } from "@chappe/mesh/rpc/contracts.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";

/** Tells Sync what devices have acknowledged, in batches. Lossy: a failed batch is dropped. */
export interface DeliveredReporter {
  /** The user has everything of the conversation up to `seq`. */
  add(conversation: string, userId: bigint, seq: number): void;
  close(): void;
}

/** Items of one call; the contract's bound. */
const maxItems = 5_000;

const address = { svid: svidOf(SyncService), cmd: getOption(SyncService.method.reportDelivered, cmd) };

/** A reporter with nothing waiting; it has no timer while idle. */
export function createDeliveredReporter(router: Router): DeliveredReporter {
  let waiting = new Map<string, Map<bigint, number>>();
  let timer: NodeJS.Timeout | undefined;

  const send = (items: { conversationId: Uint8Array; userId: bigint; seq: bigint }[]): void => {
    const payload = toBinary(ReportDeliveredRequestSchema, create(ReportDeliveredRequestSchema, { items }));
    const deadlineMs = Date.now() + limits.defaultCallTimeoutMs;
    const call = {
      ...address,
      payload,
      identity: internalIdentity,
      affinity: noBytes,
      deadlineMs,
      traceContext: noBytes,
    };
    router.call(call).catch(() => undefined);
  };

  const flush = (): void => {
    timer = undefined;
    const batch = waiting;
    waiting = new Map();
    let items: { conversationId: Uint8Array; userId: bigint; seq: bigint }[] = [];
    for (const [key, users] of batch) {
      const conversationId = conversationIdOfKey(key);
      for (const [userId, seq] of users) items.push({ conversationId, userId, seq: BigInt(seq) });
      if (items.length < maxItems - limits.maxGroupMembers) continue;
      send(items);
      items = [];
    }
    if (items.length > 0) send(items);
  };

  return {
    add(conversation, userId, seq) {
      let users = waiting.get(conversation);
      if (users === undefined) {
        users = new Map();
        waiting.set(conversation, users);
      }
      if ((users.get(userId) ?? 0) < seq) users.set(userId, seq);
      timer ??= setTimeout(flush, limits.receiptFlushMs);
    },
    close() {
      clearTimeout(timer);
      waiting.clear();
    },
  };
}
