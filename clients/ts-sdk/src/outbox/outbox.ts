import { equals } from "@bufbuild/protobuf";
import { type MessageContent, MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { ChappeClientError } from "../client-error.ts";
import { toHex } from "../ids.ts";
import type { ClientLimits } from "../limits.ts";
import type { Session } from "../session/session.ts";
import { cancelled } from "../timers.ts";
import type { Tracer } from "../tracing/tracer.ts";
import type { IdClock } from "../uuid-v7.ts";
import { Frame } from "./frame.ts";
import { Gate } from "./gate.ts";
import { Lane } from "./lane.ts";
import { conflictError, type LaneContext, unreadableError } from "./lane-context.ts";
import type { OutboxEntry, OutboxStore } from "./outbox-store.ts";
import { OutboxWriter } from "./outbox-writer.ts";
import { ReceiptBook } from "./receipt-book.ts";
import { createSendCalls } from "./send-calls.ts";
import { PendingSend, type SendHandle } from "./send-handle.ts";
import { decodeSend, encodeSend, type SendContent, toContent } from "./send-request.ts";

/** What an outbox needs. */
export interface OutboxOptions {
  readonly session: Pick<Session, "ready">;
  readonly limits: ClientLimits;
  readonly ids: IdClock;
  readonly random: () => number;
  /** @default nothing is traced */
  readonly tracer?: Tracer;
  /** The server, asked, has named the seq of a send: the conversation has got so far, and nobody may push it here. */
  readonly onPlace: (conversationId: Uint8Array, seq: number) => void;
  /** Sends that were left in the store go on from here. */
  readonly onAdopted?: (sends: readonly SendHandle[]) => void;
}

/** Every send that is not settled, from `send()` to its place in the conversation. */
export class Outbox {
  readonly receipts: ReceiptBook;
  readonly #options: OutboxOptions;
  readonly #closing = new AbortController();
  readonly #lanes = new Map<string, Lane>();
  /** Open sends by the hexadecimal of their id. */
  readonly #open = new Map<string, PendingSend>();
  readonly #context: LaneContext;
  #writer: OutboxWriter | undefined;

  constructor(options: OutboxOptions) {
    const { limits, random, session, ids, tracer } = options;
    this.#options = options;
    this.receipts = new ReceiptBook(limits.maxTrackedReceipts);
    this.#context = {
      calls: createSendCalls(session, limits, random, tracer),
      tracer,
      limits,
      random,
      gate: new Gate(limits.maxSendsInFlight),
      nextId: ids.nextId,
      syncIds: ids.sync,
      closing: this.#closing.signal,
      persist: (remove, put) => this.#writer!.persist(remove, put),
      settle: (send, seq) => {
        this.#settle(send, seq);
        options.onPlace(send.conversationId, seq);
      },
      fail: (send, error) => this.#fail(send, error),
      renamed: (send, oldKey) => {
        this.#open.delete(oldKey);
        this.#open.set(send.key, send);
      },
    };
  }

  /** Takes over what earlier runs left and sends it. */
  async start(store: OutboxStore, userId: bigint): Promise<void> {
    this.#writer = new OutboxWriter(store, userId);
    const mine = (entries: readonly OutboxEntry[]): readonly OutboxEntry[] =>
      entries.filter((entry) => entry.userId === userId);
    const left = await store.open((entries) => this.#restore(mine(entries)));
    this.#restore(mine(left));
  }

  /** Sends without an outcome, oldest first; those of earlier runs are among them. */
  get pending(): readonly SendHandle[] {
    return [...this.#open.values()];
  }

  /** Takes a send. Throws INVALID_ARGUMENT, OVERLOADED, or CANCELLED when closed. */
  send(conversationId: Uint8Array, what: SendContent, signal?: AbortSignal): SendHandle {
    if (this.#closing.signal.aborted) throw cancelled(this.#closing.signal);
    if (signal?.aborted) throw cancelled(signal);
    const content = toContent(what);
    if (this.#open.size >= this.#options.limits.maxOutboxMessages)
      throw new ChappeClientError("OVERLOADED", `${this.#open.size} sends wait for their outcome already`);
    const id = this.#options.ids.nextId();
    const send = new PendingSend(conversationId, id, content, encodeSend(conversationId, id, content));
    this.#open.set(send.key, send);
    const lane = this.#lane(conversationId);
    lane.add(send);
    signal?.addEventListener("abort", () => this.#withdraw(send, signal), { once: true });
    this.#writer!.add(send).then(
      () => {
        send.stored = true;
        lane.kick();
      },
      (cause: unknown) =>
        this.#fail(send, new ChappeClientError("INTERNAL", "the outbox could not be written", { cause })),
    );
    return send;
  }

  /** The server has given the send its seq; answers the send when it was open here. */
  sequenced(conversationId: Uint8Array, clientMessageId: Uint8Array, seq: number): SendHandle | undefined {
    const send = this.#find(conversationId, clientMessageId);
    if (send !== undefined) this.#settle(send, seq);
    return send;
  }

  /** The id had come before with another body, at `seq`. */
  conflicted(conversationId: Uint8Array, clientMessageId: Uint8Array, seq: number): void {
    const send = this.#find(conversationId, clientMessageId);
    if (send !== undefined) this.#fail(send, conflictError(seq));
  }

  /** The body came to harm after the server had taken it; a placeholder stands at `seq`. */
  unreadable(conversationId: Uint8Array, clientMessageId: Uint8Array, seq: number): void {
    const send = this.#find(conversationId, clientMessageId);
    if (send !== undefined) this.#fail(send, unreadableError(seq));
  }

  /** A message of this user's has come back from the conversation; `content` is undefined for a placeholder. */
  arrived(
    conversationId: Uint8Array,
    clientMessageId: Uint8Array,
    seq: number,
    content: MessageContent | undefined,
  ): void {
    const send = this.#find(conversationId, clientMessageId);
    if (send === undefined) return;
    if (content === undefined) return this.#fail(send, unreadableError(seq));
    if (equals(MessageContentSchema, content, send.content)) this.#settle(send, seq);
    else this.#fail(send, conflictError(seq));
  }

  /** Stops sending; what is open stays in the store, and its promises reject CANCELLED. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const reason = new ChappeClientError("CANCELLED", "the client was closed before the send had its outcome");
    this.#closing.abort(reason);
    for (const send of [...this.#open.values()]) {
      send.frame?.over.abort(reason);
      send.fail(reason);
    }
    this.#open.clear();
    await this.#writer?.close();
  }

  #restore(entries: readonly OutboxEntry[]): void {
    const adopted: PendingSend[] = [];
    for (const { key, request } of entries) {
      const decoded = decodeSend(request);
      if (decoded === undefined || this.#closing.signal.aborted) continue;
      const { conversationId, messages } = decoded;
      const sends = messages.map(({ clientMessageId, content }) => {
        const alone = encodeSend(conversationId, clientMessageId, content!);
        return new PendingSend(conversationId, clientMessageId, content!, alone);
      });
      for (const send of sends) this.#open.set(send.key, send);
      this.#lane(conversationId).restore(new Frame(key, request, sends, true));
      adopted.push(...sends);
    }
    if (adopted.length > 0) this.#options.onAdopted?.(adopted);
  }

  #lane(conversationId: Uint8Array): Lane {
    const key = toHex(conversationId);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(this.#context);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #find(conversationId: Uint8Array, clientMessageId: Uint8Array): PendingSend | undefined {
    if (this.#open.size === 0) return undefined;
    const send = this.#open.get(toHex(clientMessageId));
    return send !== undefined && toHex(send.conversationId) === toHex(conversationId) ? send : undefined;
  }

  /** Before its first attempt a send can be taken back. */
  #withdraw(send: PendingSend, signal: AbortSignal): void {
    if (send.open && send.frame === undefined) this.#fail(send, cancelled(signal));
  }

  #settle(send: PendingSend, seq: number): void {
    if (!send.open) return;
    send.markSequenced(seq);
    this.receipts.watch(send);
    this.#ended(send);
  }

  #fail(send: PendingSend, error: ChappeClientError): void {
    if (!send.open) return;
    send.fail(error);
    this.#ended(send);
  }

  #ended(send: PendingSend): void {
    this.#open.delete(send.key);
    const { frame } = send;
    if (frame === undefined) this.#writer!.remove(send.key);
    else if (frame.open.length === 0) {
      frame.over.abort(new ChappeClientError("CANCELLED", "every send of the call has its outcome"));
      this.#writer!.remove(frame.key);
    }
    const key = toHex(send.conversationId);
    if (this.#lanes.get(key)?.idle) this.#lanes.delete(key);
  }
}
