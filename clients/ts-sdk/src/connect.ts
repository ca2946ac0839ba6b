import type { DescService } from "@bufbuild/protobuf";
import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { type HelloResponse, SessionService } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { MessageKind } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { HistoryService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { createClient, type Client as ServiceClient } from "@connectrpc/connect";
import type { ChappeClient } from "./client.ts";
import { ChappeClientError } from "./client-error.ts";
import { type ConnectOptions, type ResolvedOptions, resolveOptions } from "./connect-options.ts";
import { createConversation } from "./conversation.ts";
import { toConversationId } from "./ids.ts";
import { Outbox } from "./outbox/outbox.ts";
import { Receiver } from "./receive/receiver.ts";
import { Session } from "./session/session.ts";
import { StatusBoard } from "./status.ts";
import { cancelled, pause, type Stop, startTimer } from "./timers.ts";
import { Tracer } from "./tracing/tracer.ts";
import { createIdClock, type IdClock } from "./uuid-v7.ts";
import { EventHub } from "./wire/event-hub.ts";
import { createSocketTransport } from "./wire/transport.ts";
import { wireEvents } from "./wire-events.ts";

/**
 * Connects, and stays connected until `close()`. Settles with the first welcome (at once when `userId` is given).
 * Rejects with ChappeClientError: what the server or `getToken` refused for good, CANCELLED, DEADLINE_EXCEEDED.
 */
export async function connect(options: ConnectOptions): Promise<ChappeClient> {
  const client = new SocketClient(options);
  try {
    await client.start(options.userId, options.signal);
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

class SocketClient implements ChappeClient {
  readonly deviceId: bigint;
  readonly transport: ChappeClient["transport"];
  readonly #options: ResolvedOptions;
  readonly #ids: IdClock = createIdClock();
  readonly #events: EventHub;
  readonly #status = new StatusBoard();
  readonly #session: Session;
  readonly #outbox: Outbox;
  readonly #receiver: Receiver;
  readonly #tracer: Tracer;
  readonly #services = new Map<DescService, ServiceClient<DescService>>();
  readonly #welcomed = Promise.withResolvers<bigint>();
  readonly #stops: Stop[] = [];
  #userId: bigint | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ConnectOptions) {
    const resolved = resolveOptions(options);
    const { limits, cursors, backlog, onAdopted } = resolved;
    const random = Math.random;
    this.#options = resolved;
    this.deviceId = resolved.deviceId;
    this.#userId = options.userId;
    this.#welcomed.promise.catch(() => {});
    this.#events = new EventHub(limits.maxBufferedEvents);
    const { traceToken } = options;
    this.#tracer = new Tracer({ limits, traceToken, call: (call) => this.#session.connection?.call(call) });
    this.#session = this.#createSession(random);
    this.transport = createSocketTransport({
      call: (call, repeatable) => this.#session.call(call, repeatable),
      defaultTimeoutMs: limits.callTimeoutMs,
      interceptors: options.interceptors,
    });
    this.#outbox = new Outbox({
      session: this.#session,
      limits,
      ids: this.#ids,
      random,
      tracer: this.#tracer,
      onPlace: (conversationId, seq) => this.#receiver.noteHead(conversationId, seq),
      onAdopted,
    });
    this.#receiver = new Receiver({
      limits,
      random,
      backlog,
      cursors,
      tracer: this.#tracer,
      history: this.call(HistoryService),
      sync: this.call(SyncService),
      post: (packet) => this.#session.connection?.post(packet),
      onOwn: (message) =>
        this.#outbox.arrived(
          message.conversationId,
          message.clientMessageId,
          message.seq,
          message.kind === MessageKind.UNREADABLE ? undefined : message.content,
        ),
    });
    const targets = { session: this.#session, outbox: this.#outbox, receiver: this.#receiver, tracer: this.#tracer };
    wireEvents({ events: this.#events, ...targets }, () => this.userId);
  }

  get userId(): bigint {
    return this.#userId ?? 0n;
  }

  get status(): ChappeClient["status"] {
    return this.#status.current;
  }

  get pending(): ChappeClient["pending"] {
    return this.#outbox.pending;
  }

  /** Opens the stores and the first connection. */
  async start(userId: bigint | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) throw cancelled(signal);
    await this.#receiver.load();
    if (userId !== undefined) await this.#outbox.start(this.#options.outboxOf(userId), userId);
    void this.#session.run();
    this.#watchNetwork();
    if (userId !== undefined) return;
    const { timeoutMs } = this.#options;
    const abort = (): void => this.#welcomed.reject(cancelled(signal!));
    signal?.addEventListener("abort", abort, { once: true });
    const stop = startTimer(
      timeoutMs,
      () => this.#welcomed.reject(new ChappeClientError("DEADLINE_EXCEEDED", `no welcome within ${timeoutMs} ms`)),
      true,
    );
    try {
      const welcomedId = await this.#welcomed.promise;
      await this.#outbox.start(this.#options.outboxOf(welcomedId), welcomedId);
    } finally {
      stop();
      signal?.removeEventListener("abort", abort);
    }
  }

  call<S extends DescService>(service: S): ServiceClient<S> {
    let client = this.#services.get(service);
    if (client === undefined) {
      client = createClient(service as DescService, this.transport);
      this.#services.set(service, client);
    }
    return client as ServiceClient<S>;
  }

  send: ChappeClient["send"] = (conversationId, content, options = {}) =>
    this.#outbox.send(toConversationId(conversationId), content, options.signal);

  messages: ChappeClient["messages"] = (options = {}) => this.#receiver.open(undefined, options.signal);

  events: ChappeClient["events"] = (schema, options = {}) => this.#events.stream(schema, options.signal);

  statusChanges: ChappeClient["statusChanges"] = (options = {}) => this.#status.changes(options.signal);

  setInvisible: ChappeClient["setInvisible"] = async (invisible, options = {}) => {
    this.#session.invisible = invisible;
    await this.call(SessionService).setInvisible({ invisible }, options);
  };

  conversation: ChappeClient["conversation"] = (id) =>
    createConversation(toConversationId(id), {
      userId: this.userId,
      receiver: this.#receiver,
      outbox: this.#outbox,
      history: this.call(HistoryService),
      sync: this.call(SyncService),
    });

  close(): Promise<void> {
    this.#closing ??= this.#shutDown(undefined);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #shutDown(reason: ChappeClientError | undefined): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#session.close();
    this.#tracer.close();
    this.#status.set(reason === undefined ? { state: "closed" } : { state: "closed", reason });
    this.#status.close();
    this.#events.close();
    await Promise.allSettled([this.#receiver.close(), this.#outbox.close()]);
  }

  #createSession(random: () => number): Session {
    const { socketUrl, ...options } = this.#options;
    return new Session({
      ...options,
      url: socketUrl,
      random,
      serverNowMs: () => this.#ids.nowMs(),
      onEvent: (svid, cmd, payload, traceContext) => this.#events.emit(svid, cmd, payload, traceContext),
      onConnecting: () => this.#status.set({ state: "connecting" }),
      onWelcome: (welcome, _connection, signal) => this.#onWelcome(welcome, signal),
      onHeartbeat: (reply) => {
        this.#ids.sync(Number(reply.serverTimeMs));
        this.#receiver.unacked(reply.unacked);
        if (reply.compareHeads) this.#receiver.compareHeads();
      },
      onOffline: (reason, retryInMs) => this.#status.set({ state: "offline", reason, retryInMs }),
      onStopped: (reason) => {
        this.#welcomed.reject(reason);
        this.#closing ??= this.#shutDown(reason);
      },
    });
  }

  #onWelcome(welcome: HelloResponse, signal: AbortSignal): void {
    if (this.#userId !== undefined && this.#userId !== welcome.userId)
      throw new ChappeClientError("WRONG_STATE", `the token is of user ${welcome.userId}, not of ${this.#userId}`);
    this.#userId = welcome.userId;
    this.#ids.sync(Number(welcome.serverTimeMs));
    this.#tracer.welcomed(welcome.takesSpans, Number(welcome.serverTimeMs));
    this.#status.set({ state: "catching-up" });
    this.#welcomed.resolve(welcome.userId);
    void this.#catchUp(welcome.userId, signal);
  }

  async #catchUp(userId: bigint, signal: AbortSignal): Promise<void> {
    await this.#receiver.catchUp(userId, signal);
    if (signal.aborted) return;
    this.#status.set({ state: "online" });
    void this.#askReceipts(signal);
    const { headsIntervalMs } = this.#options.limits;
    for (;;) {
      await pause(headsIntervalMs * (0.9 + 0.2 * Math.random()), signal);
      if (signal.aborted) return;
      this.#receiver.compareHeads();
      void this.#askReceipts(signal);
    }
  }

  /** Receipts are lossy: those awaited are asked for. */
  async #askReceipts(signal: AbortSignal): Promise<void> {
    const { receipts } = this.#outbox;
    for (const conversationId of receipts.undelivered(this.#options.limits.maxRangesPerCall)) {
      try {
        const { cursors } = await this.call(SyncService).getCursors({ conversationId }, { signal });
        for (const cursor of cursors)
          if (cursor.userId !== this.userId)
            receipts.receipt(conversationId, Number(cursor.deliveredSeq), Number(cursor.readSeq));
      } catch {
        // The next comparison asks again.
        if (signal.aborted) return;
      }
    }
  }

  /** A browser knows when its network is back. */
  #watchNetwork(): void {
    if (typeof document === "undefined") return;
    const retry = (): void => this.#session.retryNow();
    globalThis.addEventListener("online", retry);
    this.#stops.push(() => globalThis.removeEventListener("online", retry));
  }
}
