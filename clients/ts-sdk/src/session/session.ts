import { closeCodes } from "@chappe/gen/errors.ts";
import type { DeviceClass, HeartbeatResponse, HelloResponse } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { ChappeClientError } from "../client-error.ts";
import type { ClientLimits } from "../limits.ts";
import { cancelled, fullJitterMs, orAbort, pause, startTimer } from "../timers.ts";
import { Connection, type ConnectionEnd, type RawCall } from "../wire/connection.ts";
import { type Ending, endingOfClose, endingOfError } from "./close-policy.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { sayHello } from "./hello.ts";
import type { GetToken } from "./token-source.ts";

/** What a session needs, and whom it tells. */
export interface SessionOptions {
  readonly url: string;
  readonly WebSocket: new (url: string) => WebSocket;
  readonly limits: ClientLimits;
  readonly getToken: GetToken;
  readonly deviceId: bigint;
  readonly deviceClass: DeviceClass;
  readonly agent: string;
  /** How it begins; see Session.invisible. */
  readonly invisible: boolean;
  readonly random: () => number;
  readonly serverNowMs: () => number;
  readonly onEvent: (svid: number, cmd: number, payload: Uint8Array, traceContext: Uint8Array) => void;
  readonly onConnecting: () => void;
  /** A throw ends the session with that error. `signal` aborts when this connection ends. */
  readonly onWelcome: (welcome: HelloResponse, connection: Connection, signal: AbortSignal) => void;
  readonly onHeartbeat: (reply: HeartbeatResponse) => void;
  readonly onOffline: (reason: ChappeClientError, retryInMs: number) => void;
  /** The session is over; not called for `close()`. */
  readonly onStopped: (reason: ChappeClientError) => void;
}

/** One session over any number of connections, one at a time. */
export class Session {
  readonly #options: SessionOptions;
  readonly #closing = new AbortController();
  #connection: Connection | undefined;
  #ready = Promise.withResolvers<Connection>();
  #resumeToken: Uint8Array = new Uint8Array(0);
  #token: string | undefined;
  /** When the server that drains wants the client to come back, on this device's clock. */
  #drainUntilMs: number | undefined;
  #kickedWith: Pick<ConnectionEnd, "code" | "reason"> | undefined;
  #skipPause = new AbortController();

  /** Whether the next connection is hidden from presence from its start. */
  invisible: boolean;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.invisible = options.invisible;
    this.#ready.promise.catch(() => {});
  }

  /** The connection that has been welcomed, if there is one. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Keeps a connection up until `close()`; settles when the session is over, never rejects. */
  async run(): Promise<void> {
    let attempt = 0;
    let newToken = false;
    while (!this.#closing.signal.aborted) {
      this.#options.onConnecting();
      const startedMs = performance.now();
      const ending = await this.#connectOnce(newToken);
      if (this.#closing.signal.aborted) return;
      if (ending.kind === "stop") return this.#stop(ending.reason);
      if (performance.now() - startedMs >= this.#options.limits.stableConnectionMs) attempt = 0;
      newToken = ending.newToken;
      const { reconnectBaseMs, reconnectMaxMs } = this.#options.limits;
      const waitMs = ending.afterMs ?? fullJitterMs(attempt++, reconnectBaseMs, reconnectMaxMs, this.#options.random);
      this.#options.onOffline(ending.reason, waitMs);
      this.#skipPause = new AbortController();
      // Keeps a Node process alive as an open socket does: a bot must outlive a restart of the server.
      await pause(waitMs, AbortSignal.any([this.#closing.signal, this.#skipPause.signal]), true);
    }
  }

  /** Ends the wait for the next attempt: the network is back. */
  retryNow(): void {
    this.#skipPause.abort();
  }

  /** The welcomed connection, now or as soon as there is one. Rejects CANCELLED, or what ended the session. */
  ready(signal?: AbortSignal): Promise<Connection> {
    return this.#connection === undefined ? orAbort(this.#ready.promise, signal) : Promise.resolve(this.#connection);
  }

  /** A call that waits for a connection; `repeatable` ones survive the loss of one. Rejects with ChappeClientError. */
  async call(call: RawCall, repeatable: boolean): Promise<Uint8Array> {
    const timeoutMs = call.timeoutMs ?? this.#options.limits.callTimeoutMs;
    const endMs = performance.now() + timeoutMs;
    const deadline = new AbortController();
    const stop = startTimer(timeoutMs, () => deadline.abort(new ChappeClientError("DEADLINE_EXCEEDED")));
    const signal = call.signal === undefined ? deadline.signal : AbortSignal.any([call.signal, deadline.signal]);
    try {
      for (;;) {
        const connection = await this.ready(signal);
        try {
          return await connection.call({ ...call, timeoutMs: Math.max(endMs - performance.now(), 1), signal });
        } catch (error) {
          const lost = this.#connection !== connection;
          if (!lost || !repeatable || !ChappeClientError.is(error, "UNAVAILABLE")) throw error;
        }
      }
    } finally {
      stop();
    }
  }

  /** The server is going down and names the time to come back. */
  drain(reconnectAfterMs: number): void {
    const connection = this.#connection;
    if (connection === undefined || this.#drainUntilMs !== undefined) return;
    this.#drainUntilMs = performance.now() + reconnectAfterMs;
    startTimer(reconnectAfterMs, () => connection.close(closeCodes.GOING_AWAY.code, "drained"));
  }

  /** The server says why it will close. */
  kicked(closeCode: number, reason: string): void {
    this.#kickedWith = { code: closeCode, reason };
  }

  /** Ends the session; calls waiting for a connection reject CANCELLED. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    const reason = new ChappeClientError("CANCELLED", "the client was closed");
    this.#closing.abort(reason);
    this.#connection?.close(1000, "closed");
    this.#connection = undefined;
    this.#ready.reject(reason);
  }

  async #connectOnce(newToken: boolean): Promise<Ending> {
    const { limits } = this.#options;
    const closing = this.#closing.signal;
    const token = newToken || this.#token === undefined ? await this.#fetchToken(newToken) : this.#token;
    if (typeof token !== "string") return token;
    this.#token = token;
    let connection: Connection | undefined;
    try {
      connection = new Connection(this.#options);
      await connection.open(limits.connectTimeoutMs, closing);
      const { deviceId, deviceClass, agent } = this.#options;
      const { invisible } = this;
      const introduction = { token, deviceId, deviceClass, agent, invisible, resumeToken: this.#resumeToken };
      const welcome = await sayHello(connection, introduction, limits.connectTimeoutMs, closing);
      return await this.#serve(connection, welcome);
    } catch (thrown) {
      const error = ChappeClientError.from(thrown);
      connection?.close(1000, "hello failed");
      // A refusal may come as a close code only; it says more than the call that died with it.
      const end = await connection?.ended;
      if (end !== undefined && end.code !== 1000 && error.name === "UNAVAILABLE") return endingOfClose(end);
      return endingOfError(error);
    }
  }

  async #fetchToken(newToken: boolean): Promise<string | Ending> {
    try {
      return await orAbort(
        Promise.try(() => this.#options.getToken(newToken ? "expired" : "connect")),
        this.#closing.signal,
      );
    } catch (thrown) {
      // An error of the application's own may pass; one of the registry that cannot pass ends the session.
      const reason = ChappeClientError.from(thrown);
      return reason.retryable ? { kind: "retry", reason, newToken } : { kind: "stop", reason };
    }
  }

  async #serve(connection: Connection, welcome: HelloResponse): Promise<Ending> {
    const options = this.#options;
    const over = new AbortController();
    this.#resumeToken = Uint8Array.from(welcome.resumeToken);
    this.#drainUntilMs = undefined;
    this.#kickedWith = undefined;
    this.#connection = connection;
    try {
      options.onWelcome(welcome, connection, over.signal);
    } catch (error) {
      connection.close(1000, "refused");
      return { kind: "stop", reason: ChappeClientError.from(error) };
    }
    this.#ready.resolve(connection);
    const stopHeartbeat = startHeartbeat({
      connection,
      limits: options.limits,
      intervalMs: welcome.heartbeatIntervalMs > 0 ? welcome.heartbeatIntervalMs : 30_000,
      tokenExpiresTimeMs: Number(welcome.tokenExpiresTimeMs),
      serverNowMs: options.serverNowMs,
      getToken: options.getToken,
      random: options.random,
      onReply: options.onHeartbeat,
      onToken: (token) => {
        this.#token = token;
      },
    });
    const end = await connection.ended;
    stopHeartbeat();
    this.#connection = undefined;
    this.#ready = Promise.withResolvers();
    this.#ready.promise.catch(() => {});
    if (this.#closing.signal.aborted) this.#ready.reject(cancelled(this.#closing.signal));
    over.abort();
    const ending = endingOfClose(this.#asTold(end));
    if (this.#drainUntilMs === undefined || ending.kind === "stop") return ending;
    return { ...ending, afterMs: Math.max(this.#drainUntilMs - performance.now(), 0) };
  }

  /** What Kicked said counts for more than how the connection was lost. */
  #asTold(end: ConnectionEnd): ConnectionEnd {
    return { ...end, ...this.#kickedWith };
  }

  #stop(reason: ChappeClientError): void {
    this.#closing.abort(reason);
    this.#ready.reject(reason);
    this.#options.onStopped(reason);
  }
}
