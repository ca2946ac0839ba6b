import type { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import type { HistoryService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import type { Client } from "@connectrpc/connect";
import { ChappeClientError } from "./client-error.ts";
import { toHex } from "./ids.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { SendHandle } from "./outbox/send-handle.ts";
import type { SendContent } from "./outbox/send-request.ts";
import { type ReceivedMessage, toReceived } from "./receive/received-message.ts";
import type { Receiver } from "./receive/receiver.ts";

/** How far a member has got. */
export interface MemberCursor {
  readonly userId: bigint;
  /** On one of the member's devices up to here. */
  readonly deliveredSeq: number;
  readonly readSeq: number;
}

/** Bounds of a wait. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** @default limits.callTimeoutMs */
  readonly timeoutMs?: number | undefined;
}

/** Which messages of a conversation; at most one of `before`, `after`, `since` and `around`. */
export interface HistoryOptions extends WaitOptions {
  /** Those just before this seq. */
  readonly before?: number;
  /** Those just after this seq. */
  readonly after?: number;
  /** From the first one on that the server took at or after this time. */
  readonly since?: Date;
  /** Half of them before this seq, the others from it on. */
  readonly around?: number;
  /** At most so many, up to 200. @default 50 */
  readonly limit?: number;
}

/** One conversation. */
export interface Conversation {
  readonly id: Uint8Array;
  /** Newest seq known to this client. */
  readonly head: number;
  /** Everything up to here was given to `messages()`. */
  readonly have: number;
  /** The conversation's messages, as `client.messages()` gives them for all. */
  messages(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<ReceivedMessage>;
  /** As `client.send`. */
  send(content: SendContent, options?: { readonly signal?: AbortSignal }): SendHandle;
  /**
   * A page of the server's messages, in order of seq; the newest unless the options say which. HISTORY_UNAVAILABLE, which
   * may be tried again, when older ones cannot be read for now.
   */
  history(options?: HistoryOptions): Promise<readonly ReceivedMessage[]>;
  /** Everything up to `seq` was read; the other members' `read` says so. Never goes back. */
  markRead(seq: number, options?: WaitOptions): Promise<void>;
  /** How far the members have got. */
  cursors(options?: WaitOptions): Promise<readonly MemberCursor[]>;
}

/** What conversations share. */
export interface ConversationContext {
  readonly userId: bigint;
  readonly receiver: Receiver;
  readonly outbox: Outbox;
  readonly history: Client<typeof HistoryService>;
  readonly sync: Client<typeof SyncService>;
}

/** A view of one conversation; holds nothing of its own. Its calls reject with ChappeClientError. */
export function createConversation(id: Uint8Array, context: ConversationContext): Conversation {
  const { receiver, outbox, history, sync, userId } = context;
  const key = toHex(id);
  return {
    id,
    get head() {
      return receiver.position(key).head;
    },
    get have() {
      return receiver.position(key).have;
    },
    messages: (options = {}) => receiver.open(key, options.signal),
    send: (content, options = {}) => outbox.send(id, content, options.signal),
    async history(options = {}) {
      const request = { conversationId: id, ...placeOf(options), limit: options.limit ?? 0 };
      const page = await history.listMessages(request, boundsOf(options)).catch(throwClientError);
      return page.messages.map((message) => toReceived(id, message, userId));
    },
    async markRead(seq, wait = {}) {
      await sync.markRead({ conversationId: id, seq: BigInt(seq) }, boundsOf(wait)).catch(throwClientError);
    },
    async cursors(wait = {}) {
      const { cursors } = await sync.getCursors({ conversationId: id }, boundsOf(wait)).catch(throwClientError);
      return cursors.map((cursor) => ({
        userId: cursor.userId,
        deliveredSeq: Number(cursor.deliveredSeq),
        readSeq: Number(cursor.readSeq),
      }));
    },
  };
}

const placeOf = ({ before = 0, after, since, around = 0 }: HistoryOptions) => ({
  beforeSeq: BigInt(before),
  fromSeq: after === undefined ? 0n : BigInt(after + 1),
  // 0 says "no time", and no message is from 1970.
  fromTimeMs: since === undefined ? 0n : BigInt(Math.max(1, since.getTime())),
  aroundSeq: BigInt(around),
});

function boundsOf({ signal, timeoutMs }: WaitOptions): { signal?: AbortSignal; timeoutMs?: number } {
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

function throwClientError(error: unknown): never {
  throw ChappeClientError.from(error);
}
