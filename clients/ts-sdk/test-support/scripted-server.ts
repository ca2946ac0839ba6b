import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { ErrorName } from "@chappe/gen/errors.ts";
import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { HelloRequestSchema, SessionService } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Packet } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { MessageArrivedSchema, SendSettledSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import {
  HistoryService,
  MessageService,
  SendRequestSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { WebSocketServer } from "ws";
import { directUsers, toHex } from "../src/ids.ts";
import { addressKey, methodAddress } from "../src/wire/addresses.ts";
import { ConversationModel } from "./conversation-model.ts";
import { type Answer, ScriptedConnection } from "./scripted-connection.ts";

/** What happens to a request. "cut-before" = the wire is cut unread; "cut-after" = done, then cut without an answer. */
export type RequestFault =
  | "cut-before"
  | "cut-after"
  | "ignore"
  | {
      readonly refuse: ErrorName;
      readonly applied?: boolean;
      readonly retryAfterMs?: number;
      readonly fields?: readonly string[];
    }
  | { readonly delayMs: number }
  | { readonly until: Promise<void> };

/** What happens to a pushed event. */
export type EventFault = "lose" | "twice" | { readonly delayMs: number };

/** Faults, asked at each occasion; undefined = none. `name` = "Send", "ListRanges" ..., "MessageArrived", "SendSettled". */
export interface Faults {
  request?: (name: string, connection: ScriptedConnection) => RequestFault | undefined;
  event?: (name: string, connection: ScriptedConnection) => EventFault | undefined;
  /** Time from the log to the seq. */
  sequenceDelayMs?: () => number;
}

/** Numbers of the scripted server. */
export interface ScriptedServerOptions {
  readonly pageMessages?: number;
  readonly headsPage?: number;
  readonly hintMs?: number;
  readonly heartbeatIntervalMs?: number;
  readonly tokenTtlMs?: number;
  /** Added to its clock. */
  readonly clockSkewMs?: number;
  /** Pushes own messages to the device that sent them, too. */
  readonly echo?: boolean;
}

/** An in-process server that speaks the socket's protocol over a model of conversations. Token = "user-<id>". */
export class ScriptedServer {
  readonly conversations = new Map<string, ConversationModel>();
  readonly connections = new Set<ScriptedConnection>();
  /** Tokens seen in Hello and Heartbeat, in order. */
  readonly tokens: string[] = [];
  readonly resumeTokens: string[] = [];
  readonly requests: string[] = [];
  /** Sends whose bytes differed from those of an earlier attempt. */
  readonly changedResends: string[] = [];
  readonly sends: Uint8Array[] = [];
  faults: Faults = {};
  readonly #options: Required<ScriptedServerOptions>;
  readonly #server: WebSocketServer;
  readonly #methods = new Map<number, DescMethod>();
  readonly #firstBytes = new Map<string, string>();
  readonly #sequencing = new Set<ConversationModel>();

  private constructor(server: WebSocketServer, options: ScriptedServerOptions) {
    this.#server = server;
    this.#options = {
      pageMessages: 20,
      headsPage: 3,
      hintMs: 20,
      heartbeatIntervalMs: 30_000,
      tokenTtlMs: 3_600_000,
      clockSkewMs: 0,
      echo: false,
      ...options,
    };
    for (const service of [SessionService, MessageService, HistoryService, SyncService])
      for (const method of service.methods) {
        const address = methodAddress(method)!;
        this.#methods.set(addressKey(address.svid, address.cmd), method);
      }
    server.on("connection", (socket) => {
      const connection = new ScriptedConnection(socket, (packet, from) => void this.#onRequest(packet, from));
      this.connections.add(connection);
      socket.on("close", () => this.connections.delete(connection));
    });
  }

  static async start(options: ScriptedServerOptions = {}, port = 0): Promise<ScriptedServer> {
    const server = new WebSocketServer({ host: "127.0.0.1", port, path: "/v1/socket" });
    await new Promise((resolve) => server.once("listening", resolve));
    return new ScriptedServer(server, options);
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The model of a conversation, made when it is new. Direct ones know their members. */
  conversation(id: Uint8Array, members: readonly bigint[] = [...new Set(directUsers(id))]): ConversationModel {
    const key = toHex(id);
    const found = this.conversations.get(key) ?? new ConversationModel(id, members);
    this.conversations.set(key, found);
    return found;
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #onRequest(packet: Packet, from: ScriptedConnection): Promise<void> {
    const method = this.#methods.get(addressKey(packet.svid, packet.cmd));
    // A method it does not know gets no answer.
    if (method === undefined) return;
    this.requests.push(method.name);
    const fault = this.faults.request?.(method.name, from);
    if (fault === "cut-before") return from.close();
    if (fault === "ignore") return;
    if (typeof fault === "object" && "delayMs" in fault) await new Promise((r) => setTimeout(r, fault.delayMs));
    if (typeof fault === "object" && "until" in fault) await fault.until;
    const refusal = typeof fault === "object" && "refuse" in fault ? fault : undefined;
    const answer: Answer = refusal && !refusal.applied ? { error: refusal.refuse } : this.#handle(method, packet, from);
    if (fault === "cut-after") return from.close();
    const { retryAfterMs = 0, fields = [] } = refusal ?? {};
    from.answer(packet.id, refusal ? { error: refusal.refuse, retryAfterMs, fields } : answer);
  }

  #handle(method: DescMethod, packet: Packet, from: ScriptedConnection): Answer {
    const request = fromBinary(method.input, packet.payload) as never;
    const respond = (init: MessageInitShape<DescMessage>): Answer => ({
      payload: toBinary(method.output, create(method.output, init)),
    });
    switch (method.name) {
      case "Hello":
        return this.#hello(packet, from, respond);
      case "Heartbeat":
        this.tokens.push((request as { token: string }).token);
        return respond({
          serverTimeMs: BigInt(this.#now()),
          unacked: from.unacked(),
          tokenExpiresTimeMs: BigInt(this.#now() + this.#options.tokenTtlMs),
        } as never);
      case "Send":
        return this.#send(packet, from, respond);
      case "GetSend": {
        const { conversationId, clientMessageId, content } = request as never as {
          conversationId: Uint8Array;
          clientMessageId: Uint8Array;
          content: undefined;
        };
        return respond(this.conversation(conversationId).getSend(from.userId, clientMessageId, content) as never);
      }
      case "ListHeads":
        return respond(this.#heads(request, from.userId) as never);
      case "ListRanges":
        return this.#ranges(request, from.userId, respond);
      case "ListMessages": {
        const { conversationId } = request as { conversationId: Uint8Array };
        const model = this.conversation(conversationId);
        const messages = model.messages.slice(-1);
        const firstSeq = BigInt(model.firstSeq(from.userId));
        return respond({ conversationId, messages, headSeq: BigInt(model.head), firstSeq } as never);
      }
      default:
        return respond({} as never);
    }
  }

  #now(): number {
    return Date.now() + this.#options.clockSkewMs;
  }

  #hello(packet: Packet, from: ScriptedConnection, respond: (init: never) => Answer): Answer {
    const hello = fromBinary(HelloRequestSchema, packet.payload);
    this.tokens.push(hello.token);
    this.resumeTokens.push(toHex(hello.resumeToken));
    if (!hello.token.startsWith("user-")) {
      setTimeout(() => from.close(4004), 5);
      return { error: "TOKEN_EXPIRED" };
    }
    from.userId = BigInt(/^user-(\d+)/.exec(hello.token)![1]!);
    from.deviceId = hello.deviceId;
    return respond({
      userId: from.userId,
      connectionId: 1n,
      serverTimeMs: BigInt(this.#now()),
      heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
      tokenExpiresTimeMs: BigInt(this.#now() + this.#options.tokenTtlMs),
      resumeToken: new Uint8Array([1, 2, 3]),
      maxFrameBytes: 65_536,
      resumed: false,
    } as never);
  }

  #send(packet: Packet, from: ScriptedConnection, respond: (init: never) => Answer): Answer {
    const request = fromBinary(SendRequestSchema, packet.payload);
    this.sends.push(packet.payload);
    const bytes = toHex(packet.payload);
    for (const { clientMessageId } of request.messages) {
      const key = toHex(clientMessageId);
      if ((this.#firstBytes.get(key) ?? bytes) !== bytes) this.changedResends.push(key);
      this.#firstBytes.set(key, bytes);
    }
    const model = this.conversation(Uint8Array.from(request.conversationId));
    model.append(from.userId, from.deviceId, request.messages);
    if (!this.#sequencing.has(model)) {
      this.#sequencing.add(model);
      setTimeout(() => this.#sequence(model), this.faults.sequenceDelayMs?.() ?? 0);
    }
    return respond({} as never);
  }

  #sequence(model: ConversationModel): void {
    this.#sequencing.delete(model);
    const { messages, settled } = model.sequence();
    for (const connection of this.connections) {
      if (!model.members.includes(connection.userId)) continue;
      const mine = settled.filter(({ senderId }) => senderId === connection.userId).map(({ send }) => send);
      if (mine.length > 0)
        this.#deliver("SendSettled", connection, () =>
          connection.push(SendSettledSchema, { conversationId: model.id, sends: mine }),
        );
      for (const { message, deviceId } of messages) {
        if (deviceId === connection.deviceId && !this.#options.echo) continue;
        connection.notePushed(model.id, Number(message.seq), this.#options.hintMs);
        this.#deliver("MessageArrived", connection, () =>
          connection.push(MessageArrivedSchema, { conversationId: model.id, messages: [message] }),
        );
      }
    }
  }

  #deliver(name: string, connection: ScriptedConnection, push: () => void): void {
    const fault = this.faults.event?.(name, connection);
    if (fault === "lose") return;
    if (typeof fault === "object") return void setTimeout(push, fault.delayMs);
    push();
    if (fault === "twice") push();
  }

  #heads(request: { pageToken: string }, userId: bigint): unknown {
    const mine = [...this.conversations.values()].filter((model) => model.members.includes(userId) && model.head > 0);
    const start = Number(request.pageToken === "" ? 0 : request.pageToken);
    const page = mine.slice(start, start + this.#options.headsPage);
    const next = start + page.length;
    return {
      heads: page.map((model) => ({
        conversationId: model.id,
        headSeq: BigInt(model.head),
        firstSeq: BigInt(model.firstSeq(userId)),
      })),
      nextPageToken: next < mine.length ? String(next) : "",
    };
  }

  #ranges(
    request: { ranges: { conversationId: Uint8Array; fromSeq: bigint; toSeq: bigint }[] },
    userId: bigint,
    respond: (init: never) => Answer,
  ): Answer {
    let room = this.#options.pageMessages;
    const pages = [];
    for (const { conversationId, fromSeq, toSeq } of request.ranges) {
      const model = this.conversation(Uint8Array.from(conversationId));
      if (model.refusal !== undefined) return { error: model.refusal };
      if (fromSeq > BigInt(model.head) || toSeq > BigInt(model.head)) return { error: "NOT_YET" };
      const from = Math.max(Number(fromSeq), model.firstSeq(userId));
      const to = toSeq === 0n ? model.head : Number(toSeq);
      const messages = model.messages.slice(from - 1, Math.min(to, from - 1 + room));
      room -= messages.length;
      const bounds = { headSeq: BigInt(model.head), firstSeq: BigInt(model.firstSeq(userId)) };
      pages.push({ conversationId, messages, ...bounds });
    }
    return respond({ pages } as never);
  }
}
