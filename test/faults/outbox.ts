import { randomFillSync } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { addresses } from "@chappe/bench/support/packets.ts";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import {
  GetSendRequestSchema,
  MessageService,
  SendRequestSchema,
  SendState,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { type CallConnection, CallError } from "./call-connection.ts";
import { textChecksum } from "./seen-message.ts";

/** Calls without an answer; the server allows 256 a connection. */
const maxInFlight = 64;
const retryMs = 200;
/** From the ack to the first GetSend when no SendSettled has come; the SDK waits as long. */
const settleTimeoutMs = 3_000;
const maxAsksPerSweep = 32;

/** A send that is not finished. */
export interface OutboxEntry {
  readonly order: number;
  readonly id: string;
  readonly idBytes: Buffer;
  readonly conversation: string;
  readonly conversationId: Buffer;
  /** The encoded SendRequest; every resend has the same bytes. */
  readonly request: Uint8Array;
  readonly body: number;
  state: "waiting" | "in flight" | "acked" | "done";
  ackedMs: number;
  /** What the last attempt met; empty = nothing yet. */
  lastError: string;
}

/** What the outbox tells. */
export interface OutboxEvents {
  readonly invoked: (entry: OutboxEntry) => void;
  /** A request goes to the wire. */
  readonly sending: (entry: OutboxEntry) => void;
  readonly acked: (entry: OutboxEntry) => void;
  readonly settled: (entry: OutboxEntry, seq: number, conflict: boolean) => void;
  readonly refused: (entry: OutboxEntry, error: string) => void;
}

/** Sends that survive connections: the same bytes again until an ack, then until the seq is known. */
export class Outbox {
  readonly #events: OutboxEvents;
  readonly #entries = new Map<string, OutboxEntry>();
  readonly #waiting: OutboxEntry[] = [];
  #connection: CallConnection | undefined;
  #inFlight = 0;
  #acked = 0;
  #failed = 0;
  #order = 0;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(events: OutboxEvents) {
    this.#events = events;
  }

  /** Sends that are not settled. */
  get size(): number {
    return this.#entries.size;
  }

  /** The sends that are not settled, in words. */
  describe(): string[] {
    return [...this.#entries.values()].map(
      ({ id, conversation, state, lastError }) => `${conversation} ${id} is ${state} (${lastError})`,
    );
  }

  /** Requests on the wire without an answer. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Acks so far. */
  get acked(): number {
    return this.#acked;
  }

  /** Attempts that were refused or got no answer, so far. */
  get failed(): number {
    return this.#failed;
  }

  /** Takes a message and sends it as soon as possible. */
  send(conversation: string, conversationId: Buffer, text: string, serverTimeMs: number): void {
    const idBytes = newUuidV7(serverTimeMs);
    const content = create(MessageContentSchema, { kind: { case: "text", value: { text } } });
    const messages = [{ clientMessageId: idBytes, content }];
    const entry: OutboxEntry = {
      order: this.#order++,
      id: idBytes.toString("hex"),
      idBytes,
      conversation,
      conversationId,
      request: toBinary(SendRequestSchema, create(SendRequestSchema, { conversationId, messages })),
      body: textChecksum(text),
      state: "waiting",
      ackedMs: 0,
      lastError: "",
    };
    this.#entries.set(entry.id, entry);
    this.#events.invoked(entry);
    this.#waiting.push(entry);
    this.#pump();
  }

  /** A new connection: what was waiting goes out, oldest first. undefined: it is lost. */
  use(connection: CallConnection | undefined): void {
    this.#connection = connection;
    this.#waiting.sort((a, b) => a.order - b.order);
    this.#pump();
  }

  /** The server named the seq of one of our sends, by whatever way. */
  settle(id: string, seq: number, conflict: boolean): OutboxEntry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id);
    entry.state = "done";
    this.#events.settled(entry, seq, conflict);
    return entry;
  }

  /** Asks for sends whose settling event is overdue; to be called every second or so. */
  sweep(): void {
    const overdueMs = performance.now() - settleTimeoutMs;
    let asked = 0;
    for (const entry of this.#entries.values()) {
      if (entry.state !== "acked" || entry.ackedMs > overdueMs || asked++ >= maxAsksPerSweep) continue;
      void this.#ask(entry);
    }
  }

  close(): void {
    clearTimeout(this.#retryTimer);
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    while (this.#waiting.length > 0 && this.#inFlight < maxInFlight) {
      const entry = this.#waiting.shift()!;
      if (entry.state === "waiting") void this.#transmit(connection, entry);
    }
  }

  async #transmit(connection: CallConnection, entry: OutboxEntry): Promise<void> {
    entry.state = "in flight";
    this.#inFlight++;
    this.#events.sending(entry);
    try {
      await connection.call(addresses.send, entry.request, entry.conversationId);
      this.#acked++;
      this.#events.acked(entry);
      if (entry.state === "in flight") entry.state = "acked";
      entry.ackedMs = performance.now();
    } catch (error) {
      this.#failed++;
      await this.#tryAgain(entry, error as CallError);
    } finally {
      this.#inFlight--;
      this.#pump();
    }
  }

  async #tryAgain(entry: OutboxEntry, error: CallError): Promise<void> {
    if (entry.state === "done") return;
    entry.lastError = error.message;
    const state = error.retryable ? undefined : await this.#ask(entry);
    if (this.#isDone(entry)) return;
    if (state === SendState.NONE) {
      this.#entries.delete(entry.id);
      entry.state = "done";
      this.#events.refused(entry, error.errorName);
      return;
    }
    entry.state = "waiting";
    this.#waiting.push(entry);
    if (error.errorName === "LOST") return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.use(this.#connection), Math.max(error.retryAfterMs, retryMs));
  }

  #isDone(entry: OutboxEntry): boolean {
    return entry.state === "done";
  }

  /** What the server knows of a send; settles it when it has a seq. undefined = no answer. */
  async #ask(entry: OutboxEntry): Promise<SendState | undefined> {
    const { conversationId, idBytes: clientMessageId } = entry;
    const request = create(GetSendRequestSchema, { conversationId, clientMessageId });
    try {
      const answer = await this.#connection?.unary(addresses.getSend, MessageService.method.getSend, request);
      if (answer === undefined) return undefined;
      const { state, seq } = answer;
      if (state === SendState.SEQ || state === SendState.CONFLICT)
        this.settle(entry.id, Number(seq), state === SendState.CONFLICT);
      if (state === SendState.NOT_YET) entry.lastError = "GetSend answers NOT_YET";
      return state;
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      entry.lastError = `GetSend: ${error.message}`;
      return undefined;
    }
  }
}

function newUuidV7(timeMs: number): Buffer {
  const id = randomFillSync(Buffer.allocUnsafe(16));
  id.writeUIntBE(timeMs, 0, 6);
  id[6] = 0x70 | (id[6]! & 0x0f);
  id[8] = 0x80 | (id[8]! & 0x3f);
  return id;
}
