import type { DescMethod } from "@bufbuild/protobuf";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import { toChappeError, toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import type { MethodContract } from "@chappe/mesh/rpc/contracts.ts";
import { type Identity, identityKey, publicIdentity } from "@chappe/mesh/rpc/identity.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { RequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { clientContextOf } from "@chappe/mesh/telemetry/client-context.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { Code, ConnectError, createContextKey, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { bodyTooLarge, untilAborted } from "./request-body.ts";

/** One call on its way through the edge. */
export interface EdgeCall {
  /** Refuse with this before anything else. */
  readonly refusal?: ChappeError;
  readonly maxBodyBytes: number;
  /** Ends with the call's deadline, or when the client goes; set by the gate. */
  signal?: AbortSignal;
  /** The error was told with its detail. */
  told: boolean;
  /** The handler has answered. */
  done: boolean;
}

/** Where gate and interceptor find the call. */
export const edgeCallKey = createContextKey<EdgeCall>(
  { maxBodyBytes: 0, told: false, done: false },
  { description: "call of the HTTP edge" },
);

/** What a caller must pass before its body is read, and what a call must keep to after it. */
export interface EdgeRulesOptions {
  readonly contracts: ReadonlyMap<DescMethod, MethodContract>;
  readonly verifier: TokenVerifier;
  readonly validator: RequestValidator;
  readonly logger: Logger;
  /** Judges what clients say of their trace. @default nothing is traced */
  readonly hops?: Hops | undefined;
}

const bearer = /^Bearer ([A-Za-z0-9._-]{1,2048})$/;
const encodings = new Set(["identity", "gzip", "br"]);
/** The headers that name a deadline. */
const timeoutRules = {
  "connect-timeout-ms": /^\d{1,10}$/,
  "grpc-timeout": /^\d{1,8}[HMSmun]$/,
} as const;
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Why the signal of a call is aborted: its time is over, or its client has gone. */
export function errorOfSignal(signal: AbortSignal): ChappeError {
  const reason: unknown = signal.reason;
  const late = reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
  return new ChappeError(late ? "DEADLINE_EXCEEDED" : "CANCELLED");
}

/** INVALID_ARGUMENT that names the header when a call asks for a timeout that is none, or is too long. */
export function timeoutError(header: Headers): ChappeError | undefined {
  for (const [name, rule] of Object.entries(timeoutRules)) {
    const value = header.get(name);
    if (value === null) continue;
    if (!rule.test(value)) return invalidArgument(name, "pattern", "is not a timeout");
    if (Number.parseInt(value, 10) * (unitMs[value.at(-1)!] ?? 1) > limits.maxCallTimeoutMs)
      return invalidArgument(name, "lte", `is over ${limits.maxCallTimeoutMs} ms`);
  }
  return undefined;
}

function checkEncoding(header: Headers): void {
  for (const field of ["content-encoding", "grpc-encoding"]) {
    const value = header.get(field);
    if (value === null || encodings.has(value)) continue;
    const message = `${field}: is not one of ${[...encodings].join(", ")}`;
    throw new ChappeError("UNKNOWN_METHOD", message, { violations: [{ field, rule: "in", message }] });
  }
}

/** The gate: runs before the first byte of the body is read. */
export function createEdgeGate({ contracts, verifier }: EdgeRulesOptions) {
  const callerOf = async (auth: AuthLevel, header: Headers): Promise<Identity> => {
    if (auth === AuthLevel.PUBLIC) return publicIdentity;
    const token = bearer.exec(header.get("authorization") ?? "")?.[1];
    if (token === undefined) return publicIdentity;
    const { userId, sessionId } = await verifier.verify(token);
    return { kind: "user", userId, sessionId, deviceId: 0n };
  };
  return async (context: HandlerContext): Promise<void> => {
    const call = context.values.get(edgeCallKey);
    call.signal = context.signal;
    const header = context.requestHeader;
    try {
      if (call.refusal !== undefined) throw call.refusal;
      const { auth } = contracts.get(context.method)!;
      const identity = await callerOf(auth, header);
      authorize(auth, identity);
      context.values.set(identityKey, identity);
      checkEncoding(header);
      if (Number(header.get("content-length") ?? 0) > call.maxBodyBytes) throw bodyTooLarge(call.maxBodyBytes);
    } catch (error) {
      call.told = true;
      throw toConnectError(error);
    }
  };
}

/** Holds a call to the rules of its contract and to its deadline; every error leaves with its detail. */
export function createEdgeInterceptor({ validator, logger, hops = noHops }: EdgeRulesOptions): Interceptor {
  return (next) => async (request) => {
    const context = hops.admit(clientContextOf((name) => request.header.get(name)));
    const call = request.contextValues.get(edgeCallKey);
    const { signal } = request;
    try {
      if (!request.stream) validator.validate(request.method.input, request.message);
      const response = await untilAborted(
        logger.within(context, () => next(request)),
        signal,
        () => errorOfSignal(signal),
      );
      call.done = true;
      return response;
    } catch (error) {
      call.told = true;
      const chappeError = toChappeError(error);
      if (chappeError.row.name === "INTERNAL") {
        const method = `${request.service.typeName}/${request.method.name}`;
        logger.within(context, () => logger.error("http.internal", { method, error: chappeError }));
      }
      throw toConnectError(chappeError);
    }
  };
}

/**
 * What to tell instead of an error that the RPC library raised by itself, which has no detail; undefined when the
 * answer stands.
 */
export function untoldError(call: EdgeCall): ChappeError | undefined {
  if (call.told) return undefined;
  const reason: unknown = call.signal?.reason;
  if (reason instanceof ChappeError) return reason;
  const code = reason instanceof ConnectError ? reason.code : undefined;
  if (call.done) {
    if (code === undefined || ![Code.Internal, Code.ResourceExhausted].includes(code)) return undefined;
    return new ChappeError("INTERNAL", "the answer could not be encoded within its bound", { cause: reason });
  }
  if (code === Code.ResourceExhausted) return bodyTooLarge(call.maxBodyBytes);
  if (call.signal !== undefined && code === Code.DeadlineExceeded) return errorOfSignal(call.signal);
  const text = reason instanceof Error ? reason.message : "";
  const field = /cannot decode field ([\w.]+) from JSON/.exec(text)?.[1]?.split(".").at(-1);
  if (field === undefined) return new ChappeError("MALFORMED_PAYLOAD", undefined, { cause: reason });
  const message = `${field}: does not have the form that the contract gives it`;
  return new ChappeError("MALFORMED_PAYLOAD", message, {
    cause: reason,
    violations: [{ field, rule: "json", message }],
  });
}
