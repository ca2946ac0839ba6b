import type { MessageContent } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import type { ChappeClientError } from "../client-error.ts";
import { toHex } from "../ids.ts";
import { preciseNowMs } from "../tracing/tracer.ts";
import type { Frame } from "./frame.ts";
import { Milestone } from "./milestone.ts";

/** How far a send has got. */
export type SendState = "waiting" | "sending" | "durable" | "sequenced" | "delivered" | "read" | "failed";

/** Where a message stands in its conversation. */
export interface Place {
  readonly seq: number;
}

/**
 * A send under way. Its promises reject with the ChappeClientError that ended it; ALREADY_EXISTS = the id had come
 * before with another body; CANCELLED = the client was closed first (a kept outbox sends it next time).
 */
export interface SendHandle {
  readonly conversationId: Uint8Array;
  /** UUIDv7. Changes only when a send older than 48 h, which the server never had, goes out under a new id. */
  readonly clientMessageId: Uint8Array;
  readonly content: MessageContent;
  readonly state: SendState;
  /** Set once sequenced. */
  readonly seq: number | undefined;
  /** It is kept by the server. */
  readonly durable: Promise<void>;
  /** It has its place in the conversation. */
  readonly sequenced: Promise<Place>;
  /** It is on a device of somebody else. Only conversations of at most 64 members have receipts. */
  readonly delivered: Promise<void>;
  /** Somebody else has read it. */
  readonly read: Promise<void>;
}

const order: readonly SendState[] = ["waiting", "sending", "durable", "sequenced", "delivered", "read"];

/** A SendHandle with what its owner may do to it. */
export class PendingSend implements SendHandle {
  readonly conversationId: Uint8Array;
  readonly content: MessageContent;
  clientMessageId: Uint8Array;
  /** Hexadecimal clientMessageId. */
  key: string;
  /** The SendRequest of this message alone. */
  request: Uint8Array;
  /** The call it travels in; undefined while it waits. */
  frame: Frame | undefined;
  /** When the application sent it, Unix milliseconds of this device. */
  readonly createdMs: number = preciseNowMs();
  /** It is in the store. */
  stored = false;
  /** It has had a fresh id already. */
  reissued = false;
  seq: number | undefined;
  state: SendState = "waiting";
  readonly #durable = new Milestone<void>();
  readonly #sequenced = new Milestone<Place>();
  readonly #delivered = new Milestone<void>();
  readonly #read = new Milestone<void>();

  constructor(conversationId: Uint8Array, clientMessageId: Uint8Array, content: MessageContent, request: Uint8Array) {
    this.conversationId = conversationId;
    this.clientMessageId = clientMessageId;
    this.key = toHex(clientMessageId);
    this.content = content;
    this.request = request;
  }

  get durable(): Promise<void> {
    return this.#durable.promise;
  }

  get sequenced(): Promise<Place> {
    return this.#sequenced.promise;
  }

  get delivered(): Promise<void> {
    return this.#delivered.promise;
  }

  get read(): Promise<void> {
    return this.#read.promise;
  }

  /** Neither sequenced nor failed. */
  get open(): boolean {
    return this.#sequenced.pending;
  }

  /** Takes over a fresh id. */
  rename(clientMessageId: Uint8Array, request: Uint8Array): void {
    this.clientMessageId = clientMessageId;
    this.key = toHex(clientMessageId);
    this.request = request;
    this.reissued = true;
  }

  markSending(): void {
    this.#advance("sending");
  }

  markDurable(): void {
    this.#advance("durable");
    this.#durable.reach();
  }

  markSequenced(seq: number): void {
    if (!this.open) return;
    this.markDurable();
    this.seq = seq;
    this.#advance("sequenced");
    this.#sequenced.reach({ seq });
  }

  markDelivered(): void {
    this.#advance("delivered");
    this.#delivered.reach();
  }

  markRead(): void {
    this.markDelivered();
    this.#advance("read");
    this.#read.reach();
  }

  /** Ends every promise that has not been kept. */
  fail(error: ChappeClientError): void {
    if (this.open) this.state = "failed";
    for (const milestone of [this.#durable, this.#sequenced, this.#delivered, this.#read]) milestone.miss(error);
  }

  #advance(state: SendState): void {
    if (order.indexOf(state) > order.indexOf(this.state) && this.state !== "failed") this.state = state;
  }
}
