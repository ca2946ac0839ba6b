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
   * Messages of the server's, in order of seq: those just before `before`, those just after `after` (one of the two),
   * or the newest. At most `limit` (200, default 50).
   */
  history(
    options?: WaitOptions & { readonly before?: number; readonly after?: number; readonly limit?: number },
  ): Promise<readonly ReceivedMessage[]>;
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
    async history({ before = 0, after, limit = 0, ...wait } = {}) {
      const fromSeq = after === undefined ? 0n : BigInt(after + 1);
      const request = { conversationId: id, beforeSeq: BigInt(before), fromSeq, limit };
      const page = await history.listMessages(request, boundsOf(wait)).catch(throwClientError);
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

function boundsOf({ signal, timeoutMs }: WaitOptions): { signal?: AbortSignal; timeoutMs?: number } {
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

function throwClientError(error: unknown): never {
  throw ChappeClientError.from(error);
}
