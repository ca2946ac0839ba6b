import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { CloseName, ErrorName } from "@chappe/gen/errors.ts";
import {
  HeartbeatRequestSchema,
  HeartbeatResponseSchema,
  type HelloRequest,
  HelloRequestSchema,
  HelloResponseSchema,
  SetInvisibleRequestSchema,
} from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import type { Packet } from "@chappe/mesh/codec/packet.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { noBytes } from "@chappe/mesh/rpc/call.ts";
import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import type { TokenClaims } from "@chappe/mesh/rpc/token-verifier.ts";
import type { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";
import { responsePacket, unackedHeads } from "./session-packets.ts";

const closeNames: Partial<Record<ErrorName, CloseName>> = {
  TOKEN_EXPIRED: "TOKEN_EXPIRED",
  SESSION_REVOKED: "SESSION_REVOKED",
  TOKEN_INVALID: "UNAUTHENTICATED",
  UNAUTHENTICATED: "UNAUTHENTICATED",
  MALFORMED_PAYLOAD: "BAD_FRAME",
  INVALID_ARGUMENT: "BAD_FRAME",
};

/** How a connection ends whose Hello or heartbeat failed so; what is not the client's fault invites it to come back. */
function closeNameOf(error: ChappeError): CloseName {
  return closeNames[error.row.name as ErrorName] ?? "OVERLOADED";
}

/** The request in a packet. MALFORMED_PAYLOAD, INVALID_ARGUMENT. */
export function decode<Desc extends DescMessage>(
  context: SessionContext,
  schema: Desc,
  packet: Packet,
): MessageShape<Desc> {
  let request: MessageShape<Desc>;
  try {
    request = fromBinary(schema, packet.payload);
  } catch (error) {
    throw new ChappeError("MALFORMED_PAYLOAD", undefined, { cause: error });
  }
  context.validator.validate(schema, request);
  return request;
}

async function claimsOf(
  context: SessionContext,
  request: HelloRequest,
): Promise<{ readonly claims: TokenClaims; readonly resumed: boolean }> {
  const { token, resumeToken, deviceId } = request;
  if (resumeToken.length > 0) {
    const claims = context.resumeTokens.open(resumeToken, deviceId, token);
    if (claims !== undefined) {
      context.verifier.check(claims);
      await context.verifier.checkStored(claims);
      return { claims, resumed: true };
    }
  }
  if (token === "") throw new ChappeError("UNAUTHENTICATED");
  return { claims: await context.verifier.verify(token), resumed: false };
}

function welcome(session: Session, request: HelloRequest, resumed: boolean): Uint8Array {
  const { limits, resumeTokens } = session.context;
  const claims = session.claims!;
  // Without a token the old resume token stays the one that the access token vouches for.
  const resumeToken =
    request.token === "" ? request.resumeToken : resumeTokens.sign(claims, request.deviceId, request.token);
  return toBinary(
    HelloResponseSchema,
    create(HelloResponseSchema, {
      userId: claims.userId,
      connectionId: session.connectionId,
      serverTimeMs: BigInt(Date.now()),
      heartbeatIntervalMs: limits.heartbeatIntervalMs,
      tokenExpiresTimeMs: BigInt(claims.expiresTimeMs),
      resumeToken,
      maxFrameBytes: limits.maxFrameBytes,
      resumed,
      takesSpans: session.context.hops.takesClientSpans,
    }),
  );
}

/** Answers Hello: checks the token, registers presence, and only then welcomes. Never rejects. */
export async function answerHello(session: Session, packet: Packet): Promise<void> {
  const { context } = session;
  try {
    const request = decode(context, HelloRequestSchema, packet);
    const { claims, resumed } = await claimsOf(context, request);
    if (session.ended) return;
    const entry = session.identify(claims, request);
    try {
      await context.registry.register(entry);
      // The token may have ended, or the session been signed out, while the registry was asked.
      context.verifier.check(claims);
      if (!session.ended) session.open(responsePacket(packet.id, welcome(session, request, resumed)));
    } finally {
      if (session.ended || !session.isOpen) session.unregister(entry);
    }
  } catch (error) {
    const chappeError = toChappeError(error);
    session.end(closeNameOf(chappeError), packet.id, chappeError);
  }
}

/** Answers a heartbeat: the token is checked each time, a new one replaces the old. Never rejects. */
export async function answerHeartbeat(session: Session, packet: Packet): Promise<void> {
  const { verifier } = session.context;
  try {
    const { token } = decode(session.context, HeartbeatRequestSchema, packet);
    if (token !== "") {
      session.callsInFlight++;
      const claims = await verifier.verify(token).finally(() => session.callsInFlight--);
      if (session.ended) return;
      if (claims.userId !== session.userId)
        throw new ChappeError("UNAUTHENTICATED", "The new token is of another user.");
      session.renew(claims);
    }
    verifier.check(session.claims!);
    session.respond(packet.id, heartbeatResponse(session));
  } catch (error) {
    const chappeError = toChappeError(error);
    session.end(closeNameOf(chappeError), packet.id, chappeError);
  }
}

/** Hides the connection from presence or shows it again. Never rejects. */
export async function answerSetInvisible(session: Session, packet: Packet): Promise<void> {
  const { context } = session;
  session.callsInFlight++;
  try {
    const { invisible } = decode(context, SetInvisibleRequestSchema, packet);
    await context.registry.register(session.presenceEntry(invisible));
    session.respond(packet.id, noBytes);
  } catch (error) {
    session.respondError(packet.id, toChappeError(error));
  } finally {
    session.callsInFlight--;
  }
}

function heartbeatResponse(session: Session): Uint8Array {
  const tail = session.tail;
  return toBinary(
    HeartbeatResponseSchema,
    create(HeartbeatResponseSchema, {
      serverTimeMs: BigInt(Date.now()),
      unacked: tail === undefined ? [] : unackedHeads(tail.unacked()),
      compareHeads: tail?.takeOverflow() ?? false,
      tokenExpiresTimeMs: BigInt(session.claims!.expiresTimeMs),
    }),
  );
}
