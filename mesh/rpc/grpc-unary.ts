import type { Metadata, Server, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import { errorToStatus } from "./grpc-status.ts";

/** A unary gRPC call whose request and response stay bytes. */
export type UnaryCall = ServerUnaryCall<Uint8Array, Uint8Array>;

/** Serves unary methods of gRPC servers; at most limits.maxGrpcCallsInFlight of them are in hand together. */
export interface UnaryCalls {
  /** Answers what the handler answers, or its error as status; OVERLOADED when too many are in hand. */
  serve(server: Server, path: string, handler: (call: UnaryCall) => Promise<Uint8Array>): void;
}

/** The same bytes, as grpc-js wants them. */
export const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const asIs = (bytes: Buffer): Uint8Array => bytes;

/** Makes one with no call in hand. */
export function createUnaryCalls(): UnaryCalls {
  let inFlight = 0;
  const bounded = async (handler: (call: UnaryCall) => Promise<Uint8Array>, call: UnaryCall): Promise<Uint8Array> => {
    if (inFlight >= limits.maxGrpcCallsInFlight)
      throw new ChappeError("OVERLOADED", undefined, { retryAfterMs: limits.overloadRetryAfterMs });
    inFlight++;
    try {
      return await handler(call);
    } finally {
      inFlight--;
    }
  };
  return {
    serve(server, path, handler) {
      server.register<Uint8Array, Uint8Array>(
        path,
        (call: UnaryCall, answer: sendUnaryData<Uint8Array>) => {
          bounded(handler, call).then(
            (response) => answer(null, response),
            (error: unknown) => answer(errorToStatus(error)),
          );
        },
        asBuffer,
        asIs,
        "unary",
      );
    },
  };
}

/** When the call's answer is of no use any more, in Unix milliseconds: what the caller asks for, within the bounds. */
export function deadlineOf(call: UnaryCall): number {
  const now = Date.now();
  const asked = Number(call.getDeadline());
  return Number.isFinite(asked) ? Math.min(asked, now + limits.maxCallTimeoutMs) : now + limits.defaultCallTimeoutMs;
}

const bearer = /^Bearer (.+)$/i;

/** The token of "authorization: Bearer ..."; undefined when there is none of that form. */
export function bearerOf(metadata: Metadata): string | undefined {
  return bearer.exec(String(metadata.get("authorization")[0] ?? ""))?.[1];
}

/** X-Forwarded-For of a call; undefined when it has none. */
export function forwardedForOf(metadata: Metadata): string | undefined {
  const hops = metadata.get("x-forwarded-for").map(String);
  return hops.length === 0 ? undefined : hops.join(",");
}

/** The address in a peer of grpc-js, "address:port". */
export function peerAddressOf(peer: string): string {
  return peer.slice(0, Math.max(0, peer.lastIndexOf(":"))).replace(/^\[|\]$/g, "");
}
