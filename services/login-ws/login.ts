import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import type { CloseName } from "@chappe/gen/errors.ts";
import { DrainSchema, type HelloRequest } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { createPacket, encodeBatchedPacket } from "@chappe/mesh/codec/packet.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Router } from "@chappe/mesh/rpc/call.ts";
import type { Delivery, DeliverySink } from "@chappe/mesh/rpc/delivery.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";
import type { Revocation, TokenClaims, TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { type WebSocket, WebSocketServer } from "ws";
import { Connection, type ConnectionHost } from "./connection.ts";
import { createDeliveredReporter, type DeliveredReporter } from "./delivered-reporter.ts";
import { createOutboxFlusher } from "./outbox-flusher.ts";
import { createSessions, type Sessions } from "./session.ts";

/** Path at which connections are upgraded to WebSocket. */
export const websocketPath = "/v1/socket";

/** What createLogin needs. */
export interface LoginOptions {
  readonly loginId: string;
  /** Larger at each start. */
  readonly loginEpoch: number;
  readonly verifier: TokenVerifier;
  readonly registry: SessionRegistry;
  readonly router: Router;
  readonly validator: RequestValidator;
  /** Other origins whose pages may connect. @default none: same origin, and clients that send none */
  readonly allowedOrigins?: readonly string[];
  /** @default limits.helloTimeoutMs */
  readonly helloTimeoutMs?: number;
  /** @default limits.heartbeatIntervalMs */
  readonly heartbeatIntervalMs?: number;
  /** @default limits.heartbeatTimeoutMs */
  readonly heartbeatTimeoutMs?: number;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

/** Figures of a running Login. */
export interface LoginStats {
  readonly connections: number;
  readonly framesIn: number;
  readonly closes: Readonly<Record<string, number>>;
}

/** Holds long connections. */
export interface Login extends DeliverySink {
  /** Takes the WebSocket upgrades of a server. */
  attach(server: Server): void;
  stats(): LoginStats;
  /** Stops accepting, tells clients when to come back, and closes them after `windowMs`. */
  drain(windowMs?: number): Promise<void>;
  close(): Promise<void>;
}

const drainAddress = eventAddress(DrainSchema);

const refuse = (socket: Duplex, status: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
};

class WebSocketLogin implements Login {
  readonly #options: LoginOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.maxFrameBytes,
  });
  readonly #wheel = new TimerWheel();
  readonly #connections = new Map<bigint, Connection>();
  readonly #closes: Record<string, number> = {};
  readonly #reporter: DeliveredReporter;
  readonly #sessions: Sessions;
  readonly #host: ConnectionHost;
  readonly #unsubscribe: () => void;
  #nextId = randomBytes(8).readBigUInt64BE() >> 2n;
  #framesIn = 0;
  #draining = false;

  constructor(options: LoginOptions) {
    this.#options = options;
    const { heartbeatIntervalMs = limits.heartbeatIntervalMs, now = Date.now } = options;
    this.#reporter = createDeliveredReporter(options.router);
    this.#host = {
      wheel: this.#wheel,
      flusher: createOutboxFlusher(),
      helloTimeoutMs: options.helloTimeoutMs ?? limits.helloTimeoutMs,
      heartbeatTimeoutMs: options.heartbeatTimeoutMs ?? limits.heartbeatTimeoutMs,
      onClosing: (name) => this.#count(name),
    };
    const admit = (connection: Connection, claims: TokenClaims, hello: HelloRequest): void =>
      this.#admit(connection, claims, hello);
    this.#sessions = createSessions({ ...options, reporter: this.#reporter, heartbeatIntervalMs, admit, now });
    this.#unsubscribe = options.verifier.onRevoked((revocation) => this.#revoke(revocation));
  }

  attach(server: Server): void {
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  async deliver(deliveries: readonly Delivery[]): Promise<readonly bigint[]> {
    const missing: bigint[] = [];
    for (const delivery of deliveries) {
      const { svid, cmd, payload } = delivery;
      const chunk = encodeBatchedPacket(createPacket({ kind: PacketKind.PUSH, svid, cmd, payload }));
      for (const id of delivery.connectionIds) {
        const connection = this.#connections.get(id);
        if (connection === undefined || connection.closing) missing.push(id);
        else connection.push(chunk, delivery);
      }
    }
    return missing;
  }

  stats(): LoginStats {
    return { connections: this.#connections.size, framesIn: this.#framesIn, closes: { ...this.#closes } };
  }

  async drain(windowMs: number = limits.drainWindowMs): Promise<void> {
    this.#draining = true;
    for (const connection of this.#connections.values()) {
      const reconnectAfterMs = Math.floor(Math.random() * limits.drainReconnectSpreadMs);
      const payload = toBinary(DrainSchema, create(DrainSchema, { reconnectAfterMs }));
      connection.send(encodeBatchedPacket(createPacket({ kind: PacketKind.PUSH, ...drainAddress, payload })));
    }
    if (this.#connections.size > 0) await sleep(windowMs);
    for (const connection of this.#connections.values()) connection.close("GOING_AWAY");
  }

  async close(): Promise<void> {
    await this.drain(0);
    this.#unsubscribe();
    this.#reporter.close();
    this.#server.close();
    this.#wheel.close();
  }

  #count(name: CloseName): void {
    this.#closes[name] = (this.#closes[name] ?? 0) + 1;
  }

  #originAllowed({ headers }: IncomingMessage): boolean {
    const { origin, host } = headers;
    if (origin === undefined) return true;
    if (this.#options.allowedOrigins?.includes(origin)) return true;
    return URL.canParse(origin) && new URL(origin).host === host;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    if (request.url?.split("?")[0] !== websocketPath) return refuse(socket, "404 Not Found");
    if (this.#draining || this.#connections.size >= limits.maxConnections)
      return refuse(socket, "503 Service Unavailable");
    if (!this.#originAllowed(request)) return refuse(socket, "403 Forbidden");
    this.#server.handleUpgrade(request, socket, head, (ws) => this.#accept(ws, socket as Socket));
  }

  #accept(ws: WebSocket, socket: Socket): void {
    socket.setNoDelay(true);
    const connection = new Connection(this.#nextId++, socket, ws, this.#host);
    this.#connections.set(connection.id, connection);
    ws.on("message", (data, isBinary) => {
      this.#framesIn++;
      if (isBinary) this.#sessions.onFrame(connection, data as Buffer);
      else connection.close("BAD_FRAME");
    });
    ws.on("error", (error) => {
      this.#count(
        (error as { code?: string }).code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? "FRAME_TOO_LARGE" : "BAD_FRAME",
      );
    });
    ws.on("close", () => {
      this.#connections.delete(connection.id);
      connection.stopTimers();
      if (connection.entry !== undefined)
        void this.#options.registry.unregister(connection.entry).catch(() => undefined);
    });
  }

  /** The oldest connections of the device make room. */
  #admit(connection: Connection, claims: TokenClaims, hello: HelloRequest): void {
    const same = [...this.#connections.values()].filter(
      (other) =>
        other !== connection &&
        other.claims?.userId === claims.userId &&
        other.entry?.deviceId === hello.deviceId &&
        !other.closing,
    );
    for (const oldest of same.slice(0, Math.max(0, same.length - limits.maxConnectionsPerDevice + 1)))
      oldest.kick("REPLACED");
  }

  #revoke({ userId, sessionId, minSessionVersion }: Revocation): void {
    for (const connection of this.#connections.values()) {
      const { claims } = connection;
      if (claims?.userId !== userId) continue;
      const ended = sessionId === 0n ? claims.sessionVersion < minSessionVersion : claims.sessionId === sessionId;
      if (ended) connection.kick("SESSION_REVOKED");
    }
  }
}

/** Makes a Login; it serves nothing until a server is attached. */
export function createLogin(options: LoginOptions): Login {
  return new WebSocketLogin(options);
}
