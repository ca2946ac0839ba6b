import { create, fromBinary } from "@bufbuild/protobuf";
import type { Account } from "@chappe/bench/support/accounts.ts";
import type { ConnectionPool, OpenFrames } from "@chappe/bench/support/mesh-connection.ts";
import { addresses } from "@chappe/bench/support/packets.ts";
import { ListHeadsRequestSchema, SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import {
  HeadHintSchema,
  HeartbeatRequestSchema,
  SessionService,
  type UnackedHead,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import {
  type Message,
  MessageArrivedSchema,
  SendOutcome,
  SendSettledSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import {
  HistoryService,
  ListMessagesRequestSchema,
  ListRangesRequestSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import type { SeededRandom } from "../history/seeded-random.ts";
import { AppView, type FetchedRange } from "./app-view.ts";
import { CallConnection, CallError } from "./call-connection.ts";
import type { HistoryRecorder } from "./history-recorder.ts";
import { Outbox } from "./outbox.ts";
import { seenMessage } from "./seen-message.ts";

const reconnectBaseMs = 50;
const reconnectMaxMs = 1_000;
const heartbeatMs = 10_000;
const sweepMs = 1_000;
const pageMessages = 200;

/** What a client needs. */
export interface SlimClientOptions {
  readonly account: Account;
  readonly deviceId: bigint;
  readonly pool: ConnectionPool;
  /** Where the next connection goes. */
  readonly port: () => number;
  /** What carries the next connection. @default a WebSocket to that port */
  readonly openSocket?: (token: string) => OpenFrames;
  readonly recorder: HistoryRecorder;
  readonly random: SeededRandom;
  /** A send request goes to the wire. */
  readonly onSending: () => void;
  readonly onAck: () => void;
}

/** One device that keeps the protocol's rules: outbox, order, gaps, heads after each welcome. It writes down all it sees. */
export class SlimClient {
  readonly user: string;
  readonly outbox: Outbox;
  readonly #options: SlimClientOptions;
  readonly #device: string;
  readonly #views = new Map<string, AppView>();
  readonly #timers: NodeJS.Timeout[] = [];
  #connection: CallConnection | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  #clockOffsetMs = 0;
  #lost: ((reason: string) => void) | undefined;

  constructor(options: SlimClientOptions) {
    this.#options = options;
    this.user = options.account.userId;
    this.#device = `device-of-${this.user}`;
    const on = (conversation: string, id: string) => ({ user: this.user, device: this.#device, conversation, id });
    const { recorder } = options;
    this.outbox = new Outbox({
      invoked: ({ conversation, id, body }) => recorder.record({ kind: "invoke", ...on(conversation, id), body }),
      sending: () => options.onSending(),
      acked: ({ conversation, id }) => {
        recorder.record({ kind: "ack", ...on(conversation, id) });
        options.onAck();
      },
      settled: (entry, seq, conflict) => {
        const { conversation, id, body } = entry;
        recorder.record({ kind: "settled", ...on(conversation, id), seq, conflict });
        if (!conflict) this.#views.get(conversation)?.offer({ seq, id, sender: this.user, body, system: false });
      },
      refused: ({ conversation, id }, error) => recorder.record({ kind: "refused", ...on(conversation, id), error }),
    });
  }

  /** Whether there is a welcomed connection. */
  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Whether every send is settled and every known message shown. */
  get quiet(): boolean {
    return this.outbox.size === 0 && [...this.#views.values()].every((view) => view.caughtUp);
  }

  /** What keeps the client from being quiet, in words. */
  describeUnrest(): string[] {
    const views = [...this.#views].filter(([, view]) => !view.caughtUp);
    const behind = views.map(([conversation, view]) => `${conversation} is shown up to ${view.shownSeq} only`);
    return [...(this.connected ? [] : ["no connection"]), ...this.outbox.describe(), ...behind].map(
      (text) => `${this.user}: ${text}`,
    );
  }

  /** Connects, and again whenever the connection is lost, until close. */
  start(): void {
    this.#running ??= this.#run();
    this.#timers.push(setInterval(() => this.outbox.sweep(), sweepMs));
    this.#timers.push(setInterval(() => void this.#heartbeat(), heartbeatMs));
  }

  /** Shows a conversation from this seq on; others are found by their heads. */
  follow(conversation: string, firstSeq: number): void {
    if (this.#views.has(conversation)) return;
    const on = { user: this.user, device: this.#device, conversation };
    const conversationId = Buffer.from(conversation, "hex");
    const view = new AppView({
      firstSeq,
      show: (message) => {
        this.#options.recorder.record({ kind: "receive", ...on, message });
        this.#connection?.acknowledge(conversation, conversationId, message.seq);
      },
      fetch: (fromSeq) => this.#fetchRange(conversation, fromSeq),
    });
    this.#views.set(conversation, view);
  }

  /** Sends a text. */
  send(conversation: string, text: string): void {
    const conversationId = Buffer.from(conversation, "hex");
    this.outbox.send(conversation, conversationId, text, Date.now() + this.#clockOffsetMs);
  }

  /** Compares the heads and pulls what is missing. Does nothing while there is no connection. */
  async compareHeads(): Promise<void> {
    let pageToken = "";
    do {
      const request = create(ListHeadsRequestSchema, { pageToken });
      const answer = await this.#connection?.unary(addresses.listHeads, SyncService.method.listHeads, request);
      for (const head of answer?.heads ?? []) {
        const conversation = Buffer.from(head.conversationId).toString("hex");
        this.follow(conversation, Number(head.firstSeq));
        this.#views.get(conversation)!.hint(Number(head.headSeq));
      }
      pageToken = answer?.nextPageToken ?? "";
    } while (pageToken !== "");
  }

  /** Reads a whole conversation for the record, on request also who joined and left. Rejects with CallError, NOT_YET among others. */
  async readAll(conversation: string, recordMembers: boolean): Promise<void> {
    const conversationId = Buffer.from(conversation, "hex");
    const on = { user: this.user, device: this.#device, conversation, final: true };
    let [fromSeq, headSeq] = [1n, 1n];
    while (fromSeq <= headSeq) {
      const request = create(ListMessagesRequestSchema, { conversationId, fromSeq, limit: pageMessages });
      if (this.#connection === undefined) throw new CallError("LOST", "no connection", true);
      const page = await this.#connection.unary(addresses.listMessages, HistoryService.method.listMessages, request);
      const messages = page.messages.map(seenMessage);
      this.#options.recorder.record({ kind: "fetch", ...on, headSeq: Number(page.headSeq), messages });
      if (recordMembers) this.#recordMembers(conversation, page.messages);
      headSeq = page.headSeq;
      if (messages.length === 0) break;
      fromSeq = BigInt(messages.at(-1)!.seq + 1);
    }
    // A push may overtake the commit, which reads wait for.
    const shownSeq = this.#views.get(conversation)?.shownSeq ?? 0;
    if (headSeq < shownSeq) throw new CallError("NOT_YET", `${shownSeq} was shown, the head is ${headSeq}`, true);
  }

  /** The records of membership are what the mesh went by; their seqs are the join and leave seqs. */
  #recordMembers(conversation: string, messages: readonly Message[]): void {
    for (const { seq, content } of messages)
      for (const { userId, joined } of content?.kind.case === "membership" ? content.kind.value.items : []) {
        const kind = joined ? "joined" : "left";
        this.#options.recorder.record({ kind, user: String(userId), conversation, seq: Number(seq), onLog: true });
      }
  }

  /** Ends the connection and all timers. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const view of this.#views.values()) view.close();
    this.outbox.close();
    this.#connection?.destroy();
    this.#lost?.("closed");
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#closed; attempt++) {
      if (await this.#session()) attempt = 0;
      if (this.#closed) return;
      const ceilingMs = Math.min(reconnectMaxMs, reconnectBaseMs * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, this.#options.random.next() * ceilingMs));
    }
  }

  /** One connection from start to end; false when it was never welcomed. */
  async #session(): Promise<boolean> {
    const { account, pool, deviceId, recorder } = this.#options;
    const port = this.#options.port();
    const on = { user: this.user, device: this.#device };
    const onPush = (svid: number, cmd: number, payload: Buffer): void => this.#onPush(svid, cmd, payload);
    const openSocket = this.#options.openSocket?.(account.token);
    const how = { pool, port, token: account.token, deviceId, onPush };
    const connection = new CallConnection(openSocket === undefined ? how : { ...how, openSocket });
    try {
      await connection.open();
    } catch {
      return false;
    }
    recorder.record({ kind: "connect", ...on });
    this.#connection = connection;
    this.#clockOffsetMs = connection.clockOffsetMs;
    this.outbox.use(connection);
    const closed = new Promise<string>((resolve) => {
      this.#lost = resolve;
    });
    if (this.#closed) connection.destroy();
    else {
      void this.#compareHeadsQuietly();
      await Promise.race([connection.ended, closed]);
    }
    this.#connection = undefined;
    this.outbox.use(undefined);
    recorder.record({ kind: "close", ...on });
    return true;
  }

  /** Heads again after a refusal; a lost connection compares them anew anyway. */
  async #compareHeadsQuietly(): Promise<void> {
    try {
      await this.compareHeads();
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      if (this.connected && !this.#closed) setTimeout(() => void this.#compareHeadsQuietly(), reconnectMaxMs);
    }
  }

  async #fetchRange(conversation: string, fromSeq: number): Promise<FetchedRange | undefined> {
    const range = { conversationId: Buffer.from(conversation, "hex"), fromSeq: BigInt(fromSeq) };
    const request = create(ListRangesRequestSchema, { ranges: [range] });
    const call = this.#connection?.unary(addresses.listRanges, HistoryService.method.listRanges, request);
    const page = (await call?.catch(() => undefined))?.pages[0];
    if (page === undefined) return undefined;
    const headSeq = Number(page.headSeq);
    const messages = page.messages.map(seenMessage);
    const on = { user: this.user, device: this.#device, conversation, final: false };
    this.#options.recorder.record({ kind: "fetch", ...on, headSeq, messages });
    for (const { id, seq, sender } of messages) if (sender === this.user) this.outbox.settle(id, seq, false);
    return { headSeq, messages };
  }

  async #heartbeat(): Promise<void> {
    const request = create(HeartbeatRequestSchema);
    const method = SessionService.method.heartbeat;
    const answer = await this.#connection?.unary(addresses.heartbeat, method, request).catch(() => undefined);
    if (answer !== undefined) this.#onHeads(answer.unacked, answer.compareHeads);
  }

  #onHeads(unacked: readonly UnackedHead[], compareHeads: boolean): void {
    for (const { conversationId, seq } of unacked)
      this.#views.get(Buffer.from(conversationId).toString("hex"))?.hint(Number(seq));
    if (compareHeads) void this.#compareHeadsQuietly();
  }

  #onPush(svid: number, cmd: number, payload: Buffer): void {
    const isEvent = (address: { svid: number; cmd: number }): boolean => svid === address.svid && cmd === address.cmd;
    if (isEvent(addresses.messageArrived)) this.#onArrived(payload);
    else if (isEvent(addresses.sendSettled)) this.#onSettled(payload);
    else if (isEvent(addresses.headHint)) {
      const hint = fromBinary(HeadHintSchema, payload);
      this.#onHeads(hint.unacked, hint.compareHeads);
    }
  }

  #onArrived(payload: Buffer): void {
    const event = fromBinary(MessageArrivedSchema, payload);
    const conversation = Buffer.from(event.conversationId).toString("hex");
    const view = this.#views.get(conversation);
    if (view === undefined) void this.#compareHeadsQuietly();
    for (const message of event.messages.map(seenMessage)) {
      if (message.sender === this.user) this.outbox.settle(message.id, message.seq, false);
      view?.offer(message);
    }
  }

  #onSettled(payload: Buffer): void {
    for (const { clientMessageId, seq, outcome } of fromBinary(SendSettledSchema, payload).sends)
      this.outbox.settle(Buffer.from(clientMessageId).toString("hex"), Number(seq), outcome === SendOutcome.CONFLICT);
  }
}
