import { create, type DescMessage, fromBinary, getOption, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type HeartbeatRequest,
  HeartbeatRequestSchema,
  HeartbeatResponseSchema,
  type HelloRequest,
  HelloRequestSchema,
  HelloResponseSchema,
  SessionService,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { cmd } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { PacketKind } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { decodeDeliveryAck } from "@chappe/mesh/codec/delivery-ack.ts";
import { createPacket, decodePacketBatch, encodeBatchedPacket, type Packet } from "@chappe/mesh/codec/packet.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Router } from "@chappe/mesh/rpc/call.ts";
import { svidOf } from "@chappe/mesh/rpc/contracts.ts";
import type { Identity } from "@chappe/mesh/rpc/identity.ts";
import type { SessionRegistry } from "@chappe/mesh/rpc/session-registry.ts";
import type { TokenClaims, TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import type { Connection } from "./connection.ts";
import type { DeliveredReporter } from "./delivered-reporter.ts";

const sessionSvid = svidOf(SessionService);
const helloCmd = getOption(SessionService.method.hello, cmd);
const heartbeatCmd = getOption(SessionService.method.heartbeat, cmd);

/** What sessions stand on. */
export interface SessionOptions {
  readonly verifier: TokenVerifier;
  readonly registry: SessionRegistry;
  readonly router: Router;
  readonly validator: RequestValidator;
  readonly reporter: DeliveredReporter;
  readonly loginId: string;
  readonly loginEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Makes room for the device's new connection by the policy between connections. */
  readonly admit: (connection: Connection, claims: TokenClaims, hello: HelloRequest) => void;
  readonly now: () => number;
}

/** The session state machine: what a transport's frames mean. Knows nothing of sockets. */
export interface Sessions {
  onFrame(connection: Connection, frame: Uint8Array): void;
}

const reply = (connection: Connection, id: number, payload: Uint8Array): void =>
  connection.send(encodeBatchedPacket(createPacket({ kind: PacketKind.RESPONSE, id, payload })));

const closeNameOf = (error: ChappeError): "TOKEN_EXPIRED" | "SESSION_REVOKED" | "UNAUTHENTICATED" => {
  const { name } = error.row;
  return name === "TOKEN_EXPIRED" || name === "SESSION_REVOKED" ? name : "UNAUTHENTICATED";
};

class SessionMachine implements Sessions {
  readonly #options: SessionOptions;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  onFrame(connection: Connection, frame: Uint8Array): void {
    if (connection.closing) return;
    if (!connection.takeFrame()) return connection.close("RATE_LIMITED", new ChappeError("RATE_LIMITED"));
    if (connection.claims === undefined && frame.length > limits.maxHelloFrameBytes) {
      return connection.close("FRAME_TOO_LARGE", new ChappeError("FRAME_TOO_LARGE"));
    }
    let packets: Packet[];
    try {
      packets = decodePacketBatch(frame);
    } catch (error) {
      return connection.close("BAD_FRAME", error);
    }
    for (const packet of packets) this.#onPacket(connection, packet);
  }

  #onPacket(connection: Connection, packet: Packet): void {
    if (connection.closing) return;
    if (connection.claims === undefined) return this.#beforeHello(connection, packet);
    if (packet.kind === PacketKind.REQUEST) {
      if (packet.svid === sessionSvid) void this.#onSessionCall(connection, packet);
      else this.#onCall(connection, packet, connection.claims);
    } else if (packet.kind === PacketKind.ACK) this.#onAck(connection, packet, connection.claims);
    else connection.close("BAD_FRAME", new ChappeError("MALFORMED_FRAME", "clients send REQUEST and ACK only"));
  }

  #beforeHello(connection: Connection, packet: Packet): void {
    const isHello = packet.kind === PacketKind.REQUEST && packet.svid === sessionSvid && packet.cmd === helloCmd;
    if (isHello && !connection.helloStarted) {
      connection.helloStarted = true;
      void this.#hello(connection, packet);
    } else connection.close("HELLO_EXPECTED", new ChappeError("WRONG_STATE", "the first packet must be Hello"));
  }

  async #hello(connection: Connection, packet: Packet): Promise<void> {
    const { verifier, registry, loginId, loginEpoch, heartbeatIntervalMs, admit, now } = this.#options;
    try {
      const hello: HelloRequest = this.#decode(HelloRequestSchema, packet.payload);
      const claims = await verifier.verify(hello.token);
      if (connection.closing) return;
      admit(connection, claims, hello);
      const { userId } = claims;
      const entry = { userId, deviceId: hello.deviceId, loginId, loginEpoch, connectionId: connection.id };
      connection.entry = entry;
      // Register before sync: the client pulls heads after the welcome, so pushes must already find it.
      await registry.register(entry);
      if (connection.closing) {
        await registry.unregister(entry);
        return;
      }
      connection.claims = claims;
      const response = create(HelloResponseSchema, {
        userId,
        connectionId: connection.id,
        serverTimeMs: BigInt(now()),
        heartbeatIntervalMs,
        tokenExpiresTimeMs: BigInt(claims.expiresTimeMs),
        maxFrameBytes: limits.maxFrameBytes,
      });
      reply(connection, packet.id, toBinary(HelloResponseSchema, response));
    } catch (cause) {
      const error = ChappeError.from(cause);
      connection.sendError(packet.id, error);
      connection.close(error.row.name === "OVERLOADED" ? "OVERLOADED" : closeNameOf(error));
    }
  }

  async #onSessionCall(connection: Connection, packet: Packet): Promise<void> {
    try {
      if (packet.cmd === helloCmd) throw new ChappeError("WRONG_STATE", "Hello was already answered");
      if (packet.cmd !== heartbeatCmd) throw new ChappeError("UNKNOWN_METHOD");
      const request: HeartbeatRequest = this.#decode(HeartbeatRequestSchema, packet.payload);
      await this.#heartbeat(connection, packet, request);
    } catch (error) {
      connection.sendError(packet.id, error);
    }
  }

  async #heartbeat(connection: Connection, packet: Packet, { token }: HeartbeatRequest): Promise<void> {
    const { verifier, now } = this.#options;
    try {
      if (token !== "") {
        const claims = await verifier.verify(token);
        if (claims.userId !== connection.claims?.userId)
          throw new ChappeError("TOKEN_INVALID", "the token is another user's");
        connection.claims = claims;
      }
      verifier.check(connection.claims!);
    } catch (cause) {
      const error = ChappeError.from(cause);
      connection.sendError(packet.id, error);
      return connection.close(closeNameOf(error));
    }
    const response = create(HeartbeatResponseSchema, {
      serverTimeMs: BigInt(now()),
      tokenExpiresTimeMs: BigInt(connection.claims!.expiresTimeMs),
      ...connection.tail?.unacked(),
    });
    reply(connection, packet.id, toBinary(HeartbeatResponseSchema, response));
  }

  /** The payload stays a view into the frame, which belongs to this call alone. */
  #onCall(connection: Connection, packet: Packet, claims: TokenClaims): void {
    const { svid, cmd: number, payload, affinity, traceContext, timeoutMs } = packet;
    if (connection.callsInFlight >= limits.maxCallsInFlightPerConnection) {
      return connection.sendError(
        packet.id,
        new ChappeError("OVERLOADED", undefined, { retryAfterMs: limits.overloadRetryAfterMs }),
      );
    }
    const waitMs = timeoutMs === 0 ? limits.defaultCallTimeoutMs : Math.min(timeoutMs, limits.maxCallTimeoutMs);
    const identity: Identity = {
      kind: "user",
      userId: claims.userId,
      sessionId: claims.sessionId,
      deviceId: connection.entry!.deviceId,
      connection: connection.entry!,
    };
    connection.callsInFlight++;
    const call = { svid, cmd: number, payload, identity, affinity, deadlineMs: Date.now() + waitMs, traceContext };
    this.#options.router.call(call).then(
      (answer) => {
        connection.callsInFlight--;
        reply(connection, packet.id, answer);
      },
      (error: unknown) => {
        connection.callsInFlight--;
        connection.sendError(packet.id, error);
      },
    );
  }

  #onAck(connection: Connection, packet: Packet, { userId }: TokenClaims): void {
    let acks: ReturnType<typeof decodeDeliveryAck>;
    try {
      acks = decodeDeliveryAck(packet.payload);
    } catch (error) {
      return connection.close("BAD_FRAME", error);
    }
    for (const { conversationId, seq } of acks) {
      const key = conversationKey(conversationId);
      connection.tail?.acked(key, seq);
      this.#options.reporter.add(key, userId, seq);
    }
  }

  #decode<Desc extends DescMessage>(schema: Desc, payload: Uint8Array): MessageShape<Desc> {
    let request: MessageShape<Desc>;
    try {
      request = fromBinary(schema, payload);
    } catch (cause) {
      throw new ChappeError("MALFORMED_PAYLOAD", undefined, { cause });
    }
    this.#options.validator.validate(schema, request);
    return request;
  }
}

/** Makes the session machine of a Login. */
export function createSessions(options: SessionOptions): Sessions {
  return new SessionMachine(options);
}
