import type { Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { type CloseName, closeCodes } from "@chappe/gen/errors.ts";
import { HeadHintSchema, KickedSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { createPacket, encodeBatchedPacket } from "@chappe/mesh/codec/packet.ts";
import { conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { encodeError } from "@chappe/mesh/rpc/connect-errors.ts";
import type { Delivery } from "@chappe/mesh/rpc/delivery.ts";
import { eventAddress } from "@chappe/mesh/rpc/event-address.ts";
import type { TokenClaims } from "@chappe/mesh/rpc/token-verifier.ts";
import { type TimerWheel, WheelTimer } from "@chappe/mesh/timers/timer-wheel.ts";
import type { WebSocket } from "ws";
import type { FlushTarget, OutboxFlusher } from "./outbox-flusher.ts";
import { Tail } from "./tail.ts";

const headHint = eventAddress(HeadHintSchema);
const kicked = eventAddress(KickedSchema);

/** What connections of one Login share. */
export interface ConnectionHost {
  readonly wheel: TimerWheel;
  readonly flusher: OutboxFlusher;
  readonly helloTimeoutMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly onClosing: (name: CloseName) => void;
}

/** Fires the tail hint of one connection. */
class TailTimer extends WheelTimer {
  readonly #connection: Connection;
  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }
  override onTimer(): void {
    this.#connection.sendTailHint();
  }
}

/** One long connection: the session's state and its outbox. As a timer it watches for silence. */
export class Connection extends WheelTimer implements FlushTarget {
  chunks: Uint8Array[] = [];
  claims: TokenClaims | undefined;
  entry: PresenceEntry | undefined;
  helloStarted = false;
  callsInFlight = 0;
  lastFrameMs: number;
  readonly id: bigint;
  readonly #socket: Socket;
  readonly #ws: WebSocket;
  readonly #host: ConnectionHost;
  #rateTokens: number = limits.frameBurstPerConnection;
  #rateMs: number;
  #tail: Tail | undefined;
  #tailTimer: TailTimer | undefined;
  #slowSinceMs = 0;
  #closing = false;

  constructor(id: bigint, socket: Socket, ws: WebSocket, host: ConnectionHost) {
    super();
    this.id = id;
    this.#socket = socket;
    this.#ws = ws;
    this.#host = host;
    this.lastFrameMs = host.wheel.now();
    this.#rateMs = this.lastFrameMs;
    host.wheel.schedule(this, host.helloTimeoutMs);
  }

  get closing(): boolean {
    return this.#closing;
  }

  get tail(): Tail | undefined {
    return this.#tail;
  }

  override onTimer(nowMs: number): void {
    if (this.claims === undefined) return this.close("HELLO_TIMEOUT");
    if (this.#slowSinceMs > 0 && nowMs - this.#slowSinceMs >= limits.slowClientMaxAgeMs)
      return this.close("SLOW_CLIENT");
    const silentMs = nowMs - this.lastFrameMs;
    if (silentMs >= this.#host.heartbeatTimeoutMs) return this.close("HEARTBEAT_TIMEOUT");
    const slowMs = this.#slowSinceMs > 0 ? limits.slowClientMaxAgeMs : this.#host.heartbeatTimeoutMs;
    this.#host.wheel.schedule(this, Math.min(slowMs, this.#host.heartbeatTimeoutMs - silentMs));
  }

  /** Takes one frame off the rate; false when the connection is over it. */
  takeFrame(): boolean {
    const nowMs = this.#host.wheel.now();
    this.lastFrameMs = nowMs;
    const gained = ((nowMs - this.#rateMs) / 1000) * limits.framesPerSecondPerConnection;
    this.#rateTokens = Math.min(limits.frameBurstPerConnection, this.#rateTokens + gained) - 1;
    this.#rateMs = nowMs;
    return this.#rateTokens >= 0;
  }

  /** Adds an encoded packet to this turn's frame. */
  send(chunk: Uint8Array): void {
    if (this.#closing) return;
    if (this.chunks.push(chunk) === 1) this.#host.flusher.schedule(this);
  }

  /** Adds a pushed event; bodies for a client that does not read are dropped, and it is told to compare heads. */
  push(chunk: Uint8Array, delivery: Delivery): void {
    if (delivery.conversationId === undefined || delivery.lastSeq === undefined) return this.send(chunk);
    this.#tail ??= new Tail();
    if (this.#socket.writableLength > limits.slowClientDropBytes) {
      this.#tail.dropped();
      this.#noteSlow();
      return;
    }
    if (this.#tail.pushed(conversationKey(delivery.conversationId), delivery.lastSeq)) {
      this.#tailTimer ??= new TailTimer(this);
      this.#host.wheel.schedule(this.#tailTimer, limits.tailHintMs);
    }
    this.send(chunk);
  }

  sendTailHint(): void {
    const payload = this.#tail?.hint();
    if (payload !== undefined)
      this.send(encodeBatchedPacket(createPacket({ kind: PacketKind.PUSH, ...headHint, payload })));
  }

  write(frame: Buffer): void {
    if (this.#closing) return;
    if (this.#socket.writableLength + frame.length > limits.slowClientCloseBytes) return this.close("SLOW_CLIENT");
    if (!this.#socket.write(frame)) this.#noteSlow();
  }

  sendError(id: number, error: unknown): void {
    const payload = encodeError(error);
    this.send(encodeBatchedPacket(createPacket({ kind: PacketKind.ERROR, id, payload })));
  }

  /** Says why, then closes. */
  kick(name: CloseName): void {
    const row = closeCodes[name];
    const payload = toBinary(KickedSchema, create(KickedSchema, { closeCode: row.code, reason: row.text }));
    this.send(encodeBatchedPacket(createPacket({ kind: PacketKind.PUSH, ...kicked, payload })));
    this.close(name);
  }

  /** Sends what waits and closes with the code; `error` goes out before as ERROR of the connection. */
  close(name: CloseName, error?: unknown): void {
    if (this.#closing) return;
    if (error !== undefined) this.sendError(0, error);
    this.#host.onClosing(name);
    if (name === "SLOW_CLIENT") this.chunks = [];
    this.#host.flusher.flush(this);
    this.#closing = true;
    this.stopTimers();
    if (name === "SLOW_CLIENT") this.#ws.terminate();
    else this.#ws.close(closeCodes[name].code, name);
  }

  stopTimers(): void {
    this.#host.wheel.cancel(this);
    if (this.#tailTimer !== undefined) this.#host.wheel.cancel(this.#tailTimer);
  }

  #noteSlow(): void {
    if (this.#slowSinceMs > 0) return;
    this.#slowSinceMs = this.#host.wheel.now();
    this.#host.wheel.schedule(this, limits.slowClientMaxAgeMs);
    this.#socket.once("drain", () => {
      this.#slowSinceMs = 0;
      this.#host.wheel.schedule(this, this.#host.heartbeatTimeoutMs);
      this.sendTailHint();
    });
  }
}
