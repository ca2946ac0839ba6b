import { fromBinary } from "@bufbuild/protobuf";
import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { SessionService } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import { type Call, noBytes, type Router } from "@chappe/mesh/rpc/call.ts";
import { type MethodContract, svidOf } from "@chappe/mesh/rpc/contracts.ts";
import { errorToStatus } from "@chappe/mesh/rpc/grpc-status.ts";
import { type Identity, publicIdentity } from "@chappe/mesh/rpc/identity.ts";
import type { LiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import type { Server, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { addReflection } from "./reflection.ts";

/** What createGrpcEdge needs. */
export interface GrpcEdgeOptions {
  readonly contracts: LiveContracts;
  readonly router: Router;
  readonly verifier: TokenVerifier;
}

/** Unary gRPC for every method that the contracts open to clients, and server reflection. */
export interface GrpcEdge {
  /** Serves them on a gRPC server, now and as services come and go. */
  addTo(server: Server): void;
  /** Follows the contracts no more. */
  close(): void;
}

type UnaryCall = ServerUnaryCall<Uint8Array, Uint8Array>;

/** Login serves these itself. */
const ofLogin: ReadonlySet<number> = new Set([svidOf(EdgeService), svidOf(SessionService)]);

const bearer = /^Bearer (.+)$/i;

function deadlineOf(call: UnaryCall): number {
  const now = Date.now();
  const asked = Number(call.getDeadline());
  return Number.isFinite(asked) ? Math.min(asked, now + limits.maxCallTimeoutMs) : now + limits.defaultCallTimeoutMs;
}

/** The bytes of the request field that chooses the backend. */
function affinityOf({ affinity, method }: MethodContract, payload: Uint8Array): Uint8Array {
  const field = method.input.fields.find(({ name }) => name === affinity);
  if (field === undefined) return noBytes;
  try {
    const value: unknown = Reflect.get(fromBinary(method.input, payload), field.localName);
    if (typeof value === "string") return Buffer.from(value, "utf8");
    return value instanceof Uint8Array ? value : noBytes;
  } catch (cause) {
    throw new ChappeError("MALFORMED_PAYLOAD", undefined, { cause });
  }
}

class Edge implements GrpcEdge {
  readonly #options: GrpcEdgeOptions;
  readonly #served = new Map<string, MethodContract>();
  #unfollow: () => void = () => undefined;
  #inFlight = 0;

  constructor(options: GrpcEdgeOptions) {
    this.#options = options;
  }

  addTo(server: Server): void {
    this.#update(server);
    addReflection(server, this.#options.contracts);
    this.#unfollow = this.#options.contracts.onChanged(() => this.#update(server));
  }

  close(): void {
    this.#unfollow();
  }

  #update(server: Server): void {
    const open = new Map<string, MethodContract>();
    for (const contract of this.#options.contracts.methods) {
      const { auth, svid, method } = contract;
      if (auth === AuthLevel.INTERNAL || method.methodKind !== "unary" || ofLogin.has(svid)) continue;
      open.set(`/${method.parent.typeName}/${method.name}`, contract);
    }
    for (const [path, contract] of this.#served) {
      if (open.get(path) === contract) continue;
      server.unregister(path);
      this.#served.delete(path);
    }
    for (const [path, contract] of open) {
      if (this.#served.has(path)) continue;
      server.register<Uint8Array, Uint8Array>(
        path,
        (call: UnaryCall, answer: sendUnaryData<Uint8Array>) => void this.#answer(contract, call, answer),
        (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        (bytes) => bytes,
        "unary",
      );
      this.#served.set(path, contract);
    }
  }

  async #answer(contract: MethodContract, call: UnaryCall, answer: sendUnaryData<Uint8Array>): Promise<void> {
    const gone = new AbortController();
    call.once("cancelled", () => gone.abort());
    const counted = this.#inFlight < limits.maxGrpcCallsInFlight;
    if (counted) this.#inFlight++;
    try {
      if (!counted) throw new ChappeError("OVERLOADED", undefined, { retryAfterMs: limits.overloadRetryAfterMs });
      answer(null, await this.#options.router.call(await this.#callOf(contract, call, gone.signal)));
    } catch (error) {
      answer(errorToStatus(error));
    } finally {
      if (counted) this.#inFlight--;
    }
  }

  async #callOf(contract: MethodContract, call: UnaryCall, signal: AbortSignal): Promise<Call> {
    const identity = await this.#identityOf(call);
    authorize(contract.auth, identity);
    const { svid, cmd } = contract;
    const traceparent = String(call.metadata.get("traceparent")[0] ?? "");
    const peer = call.getPeer();
    return {
      svid,
      cmd,
      payload: call.request,
      identity,
      affinity: affinityOf(contract, call.request),
      deadlineMs: deadlineOf(call),
      traceContext: traceparent === "" ? noBytes : Buffer.from(traceparent, "latin1"),
      clientAddress: peer.slice(0, Math.max(0, peer.lastIndexOf(":"))).replace(/^\[|\]$/g, ""),
      signal,
    };
  }

  /** Whoever the token says; nobody in particular without one. */
  async #identityOf({ metadata }: UnaryCall): Promise<Identity> {
    const [value] = metadata.get("authorization");
    if (value === undefined) return publicIdentity;
    const token = bearer.exec(String(value))?.[1];
    if (token === undefined) throw new ChappeError("UNAUTHENTICATED");
    const { userId, sessionId } = await this.#options.verifier.verify(token);
    return { kind: "user", userId, sessionId, deviceId: 0n };
  }
}

/** Makes the gRPC edge. */
export function createGrpcEdge(options: GrpcEdgeOptions): GrpcEdge {
  return new Edge(options);
}
