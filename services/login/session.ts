import { type CloseName, closeCodes } from "@chappe/gen/errors.ts";
import { DeviceClass, type HelloRequest, SessionService } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { decodeDeliveryAck } from "@chappe/mesh/codec/delivery-ack.ts";
import { decodePacketBatch, type Packet } from "@chappe/mesh/codec/packet.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationIdBytes, conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import type { PresenceEntry } from "@chappe/mesh/ports/presence.ts";
import { svidOf } from "@chappe/mesh/rpc/contracts.ts";
import type { Identity } from "@chappe/mesh/rpc/identity.ts";
import { methodContractsOf } from "@chappe/mesh/rpc/method-contracts.ts";
import type { TokenClaims } from "@chappe/mesh/rpc/token-verifier.ts";
import type { AddressTicket } from "./address-limits.ts";
import { answerReportSpans } from "./client-spans.ts";
import { answerHeartbeat, answerHello, answerSetInvisible } from "./handshake.ts";
import { forwardCall } from "./pending-call.ts";
import type { SessionContext } from "./session-context.ts";
import { SessionOutput } from "./session-output.ts";
import { errorPacket, headHintPacket, kickedPacket, responsePacket, spanWantedPacket } from "./session-packets.ts";
import type { Tail, UnackedTail } from "./tail.ts";
import { TailHints } from "./tail-hints.ts";
import type { SharedPacket, Transport } from "./transport.ts";

const sessionSvid = svidOf(SessionService);
const sessionCmds = new Map(methodContractsOf(SessionService).map((row) => [row.method.localName, row.cmd]));
const helloCmd = sessionCmds.get("hello");
const heartbeatCmd = sessionCmds.get("heartbeat");
const setInvisibleCmd = sessionCmds.get("setInvisible");
const reportSpansCmd = sessionCmds.get("reportSpans");

/** What Hello says beside the token. */
type Introduction = Pick<HelloRequest, "deviceId" | "deviceClass" | "invisible">;

const awaitingHello = 0;
const helloInHand = 1;
const open = 2;
const ended = 3;

/**
 * One long connection, whatever carries it. As a timer it is its own Hello limit, later its heartbeat limit. Parts that
 * an idle connection does not need come into being when they are needed.
 */
export class Session extends SessionOutput {
  /** 0n until identified, as are the next three. */
  connectionId = 0n;
  userId = 0n;
  deviceId = 0n;
  deviceClass: DeviceClass = DeviceClass.UNSPECIFIED;
  /** When it was welcomed, Unix milliseconds; no two sessions of a process have the same. */
  openedTimeMs = 0;
  claims: TokenClaims | undefined = undefined;
  identity: Identity | undefined = undefined;
  /** Owned by the SessionIndex. */
  nextOfUser: Session | undefined = undefined;
  callsInFlight = 0;
  /** When the next report of spans is due, by the wheel. */
  nextReportMs = 0;
  #state = awaitingHello;
  #frameTokens: number;
  #lastFrameMs: number;
  #tailHints: TailHints | undefined = undefined;
  readonly #ticket: AddressTicket | undefined;

  constructor(context: SessionContext, transport: Transport, ticket?: AddressTicket) {
    super(context, transport);
    this.#ticket = ticket;
    this.#frameTokens = context.limits.frameBurstPerConnection;
    this.#lastFrameMs = Math.floor(context.wheel.now());
    context.sessions.add(this);
    context.wheel.schedule(this, context.limits.helloTimeoutMs);
  }

  /** Welcomed and not ended. */
  get isOpen(): boolean {
    return this.#state === open;
  }

  override get ended(): boolean {
    return this.#state === ended;
  }

  /** What is pushed and not acknowledged; undefined when nothing was for a while. */
  get tail(): Tail | undefined {
    return this.#tailHints?.tail;
  }

  /** A frame came in. It may be kept alive by the calls it holds; nobody writes to it. */
  onFrame(frame: Uint8Array, isBinary: boolean): void {
    if (this.ended) return;
    const { stats, limits } = this.context;
    stats.framesIn++;
    stats.bytesIn += frame.length;
    if (!this.#takeFrameToken()) {
      this.end("RATE_LIMITED", 0, new ChappeError("RATE_LIMITED"));
      return;
    }
    if (!isBinary) {
      this.end("BAD_FRAME", 0, new ChappeError("MALFORMED_FRAME", "Text frames are not used."));
      return;
    }
    if (!this.isOpen && frame.length > limits.maxHelloFrameBytes) {
      this.onFrameTooLarge();
      return;
    }
    let packets: Packet[];
    try {
      packets = decodePacketBatch(frame, { maxPackets: limits.maxPacketsPerFrame });
    } catch (error) {
      this.end("BAD_FRAME", 0, ChappeError.from(error));
      return;
    }
    stats.packetsIn += packets.length;
    for (const packet of packets) {
      if (this.ended) return;
      this.#onPacket(packet);
    }
  }

  /** A frame is over the limit. */
  onFrameTooLarge(): void {
    this.end("FRAME_TOO_LARGE", 0, new ChappeError("FRAME_TOO_LARGE"));
  }

  /** A ping of the transport: answered by it, paid like a frame. */
  onPing(): void {
    if (this.ended) return;
    if (!this.#takeFrameToken()) this.end("RATE_LIMITED", 0, new ChappeError("RATE_LIMITED"));
    else if (this.transport.waitingBytes > this.context.limits.slowClientCloseBytes) this.end("SLOW_CLIENT");
  }

  /** The transport is closed, by whomever. */
  onTransportClosed(): void {
    if (!this.ended) this.#finish("CLIENT");
    this.#ticket?.leave();
    this.context.onConnectionClosed(this.transport.kind);
  }

  override onTimer(nowMs: number): void {
    if (!this.isOpen) {
      this.end("HELLO_TIMEOUT");
      return;
    }
    const { limits, verifier, wheel } = this.context;
    const idleMs = nowMs - this.#lastFrameMs;
    if (idleMs >= limits.heartbeatTimeoutMs) {
      this.end("HEARTBEAT_TIMEOUT");
      return;
    }
    try {
      // For clients that send frames and no heartbeats.
      verifier.check(this.claims!);
    } catch (error) {
      const name = ChappeError.is(error, "SESSION_REVOKED") ? "SESSION_REVOKED" : "TOKEN_EXPIRED";
      this.end(name, 0, ChappeError.from(error));
      return;
    }
    wheel.schedule(this, limits.heartbeatTimeoutMs - idleMs);
  }

  /** The token is good: pushes that come before the welcome are held back until it. */
  identify(claims: TokenClaims, hello: Introduction): PresenceEntry {
    const { deviceId, deviceClass, invisible } = hello;
    const { sessions, loginId } = this.context;
    this.claims = claims;
    this.userId = claims.userId;
    this.deviceId = deviceId;
    this.deviceClass = deviceClass === DeviceClass.UNSPECIFIED ? DeviceClass.WEB : deviceClass;
    this.connectionId = sessions.newConnectionId();
    this.#setIdentity(claims, loginId);
    sessions.identify(this);
    return this.presenceEntry(invisible);
  }

  /** Presence is registered: the welcome goes out first, then what was held back. */
  open(welcome: Packet): void {
    const { wheel, limits, sessions, singleDeviceClasses, devicePolicy } = this.context;
    this.#state = open;
    this.openedTimeMs = sessions.newOpenedTimeMs();
    this.#ticket?.welcome();
    this.callsInFlight = 0;
    this.release(welcome);
    wheel.schedule(this, limits.heartbeatTimeoutMs);
    for (const older of sessions.replacedBy(this, limits.maxConnectionsPerDevice, singleDeviceClasses))
      older.kick("REPLACED");
    devicePolicy.onOpened(this);
  }

  /** A newer token of the same user. */
  renew(claims: TokenClaims): void {
    this.claims = claims;
    this.#setIdentity(claims, this.context.loginId);
  }

  /** Takes the presence entry back; failures are the lease's to repair. */
  unregister(entry: PresenceEntry): void {
    const { registry, logger } = this.context;
    registry.unregister(entry).catch((error: unknown) => {
      logger.warn("presence entry not removed", { connectionId: entry.connectionId, error });
    });
  }

  /** Answers a call. */
  respond(id: number, payload: Uint8Array): void {
    this.send(responsePacket(id, payload));
  }

  /** Refuses a call. */
  respondError(id: number, error: unknown): void {
    this.send(errorPacket(id, error));
  }

  /** Sends a push that is shared with others; false = this session takes none. */
  push(shared: SharedPacket): boolean {
    if (this.#state !== open && this.#state !== helloInHand) return false;
    this.sendShared(shared);
    return true;
  }

  /** A message was pushed: remember it until it is acknowledged. */
  raise(key: string, seq: number, nowMs: number): void {
    this.#tailHints ??= new TailHints(this);
    this.#tailHints.raise(key, seq, nowMs);
  }

  /** Tells the client what it may have missed. */
  hint(unacked: readonly UnackedTail[], compareHeads: boolean): void {
    this.context.stats.hintsSent++;
    this.send(headHintPacket(unacked, compareHeads));
  }

  /** Asks the client for its span of a message. */
  askSpan(clientMessageId: Uint8Array): void {
    this.send(spanWantedPacket(clientMessageId));
  }

  /** Nothing is unacknowledged any more. */
  forgetTail(tailHints: TailHints): void {
    if (this.#tailHints === tailHints) this.#tailHints = undefined;
  }

  override onTooSlow(): void {
    this.end("SLOW_CLIENT");
  }

  override onBodiesMissed(): void {
    this.hint(this.tail?.unacked() ?? [], true);
  }

  /** Ends the session by policy: tells the client first, with the close code's text when there is no better reason. */
  kick(name: CloseName, reason = ""): void {
    if (this.isOpen) this.send(kickedPacket(closeCodes[name], reason));
    this.end(name);
  }

  /** Ends the session: what was written goes out, then `error` as the answer to `packetId`, then the close. */
  end(name: CloseName, packetId = 0, error?: ChappeError): void {
    if (this.ended) return;
    if (!this.isOpen || name === "SLOW_CLIENT") this.dropOutput();
    if (error !== undefined) this.send(errorPacket(packetId, error));
    this.flush();
    // Writing the last words may have ended it: a client that is slow as well.
    if (this.ended) return;
    this.#finish(name);
    this.transport.end(closeCodes[name]);
  }

  #onPacket(packet: Packet): void {
    if (packet.kind === PacketKind.REQUEST && packet.id !== 0) {
      this.#onRequest(packet);
      return;
    }
    if (packet.kind === PacketKind.ACK && this.#state !== awaitingHello) {
      this.#onAck(packet);
      return;
    }
    const error = new ChappeError("MALFORMED_FRAME", "The packet is neither a REQUEST with an id nor an ACK.");
    this.end(this.#state === awaitingHello ? "HELLO_EXPECTED" : "BAD_FRAME", 0, error);
  }

  #onRequest(packet: Packet): void {
    const isSession = packet.svid === sessionSvid;
    if (isSession && packet.cmd === helloCmd && this.#state === awaitingHello) {
      this.#state = helloInHand;
      void answerHello(this, packet);
    } else if (this.#state === awaitingHello) {
      this.end("HELLO_EXPECTED", packet.id, new ChappeError("WRONG_STATE", "Hello must be the first packet."));
    } else if (this.#state === helloInHand) {
      this.#refuseEarly(packet.id);
    } else if (isSession && packet.cmd === helloCmd) {
      this.respondError(packet.id, new ChappeError("WRONG_STATE"));
    } else if (!isSession) {
      forwardCall(this, packet);
    } else if (packet.cmd === reportSpansCmd) {
      answerReportSpans(this, packet);
    } else if (packet.cmd !== heartbeatCmd && packet.cmd !== setInvisibleCmd) {
      this.respondError(packet.id, new ChappeError("UNKNOWN_METHOD"));
    } else if (this.callsInFlight >= this.context.limits.maxCallsInFlightPerConnection) {
      this.respondError(packet.id, new ChappeError("OVERLOADED"));
    } else {
      void (packet.cmd === heartbeatCmd ? answerHeartbeat : answerSetInvisible)(this, packet);
    }
  }

  /** Answers to early calls wait for the welcome: only so many may. */
  #refuseEarly(id: number): void {
    const error = new ChappeError("WRONG_STATE", "Wait for the answer to Hello.");
    if (++this.callsInFlight > this.context.limits.maxCallsInFlightPerConnection) this.end("HELLO_EXPECTED", id, error);
    else this.respondError(id, error);
  }

  #onAck(packet: Packet): void {
    if (!this.isOpen) return;
    const { receipts, wheel, hops } = this.context;
    const nowMs = wheel.now();
    try {
      for (const { conversationId, seq } of decodeDeliveryAck(packet.payload)) {
        if (conversationId.length !== conversationIdBytes)
          throw new ChappeError("MALFORMED_PAYLOAD", "A conversation id has 16 bytes.");
        const key = conversationKey(conversationId);
        const isOfPush = this.#tailHints?.tail.acknowledge(key, seq, nowMs) ?? false;
        receipts.add(this.userId, key, seq);
        // Senders acknowledge their own messages too, which nobody pushed to them.
        if (isOfPush) hops.acknowledged(conversationId, seq, this.connectionId, packet.traceContext);
      }
    } catch (error) {
      this.end("BAD_FRAME", 0, new ChappeError("MALFORMED_PAYLOAD", undefined, { cause: error }));
    }
  }

  /** Refill by the time since the last frame, in whole tokens, so that no timer is needed. */
  #takeFrameToken(): boolean {
    const { limits, wheel } = this.context;
    const nowMs = Math.floor(wheel.now());
    const refill = ((nowMs - this.#lastFrameMs) * limits.framesPerSecondPerConnection) / 1_000;
    this.#lastFrameMs = nowMs;
    this.#frameTokens = Math.min(limits.frameBurstPerConnection, this.#frameTokens + refill) - 1;
    return this.#frameTokens >= 0;
  }

  #setIdentity(claims: TokenClaims, loginId: string): void {
    const { userId, sessionId } = claims;
    const connection = { loginId, connectionId: this.connectionId };
    this.identity = { kind: "user", userId, sessionId, deviceId: this.deviceId, connection };
  }

  /** What Online is told of this connection. */
  presenceEntry(invisible = false): PresenceEntry {
    const { loginId, loginEpoch } = this.context;
    const { userId, deviceId, connectionId } = this;
    return { userId, deviceId, loginId, loginEpoch, connectionId, ...(invisible && { invisible }) };
  }

  #finish(name: CloseName | "CLIENT"): void {
    const { wheel, sessions, stats } = this.context;
    const wasOpen = this.isOpen;
    this.#state = ended;
    this.closeOutput();
    wheel.cancel(this);
    if (this.#tailHints !== undefined) wheel.cancel(this.#tailHints);
    this.#tailHints = undefined;
    sessions.remove(this);
    stats.closes[name] = (stats.closes[name] ?? 0) + 1;
    // Before the welcome the handshake takes its entry back itself, once it is there.
    if (wasOpen) this.unregister(this.presenceEntry());
  }
}
