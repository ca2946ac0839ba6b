import { fromBinary } from "@bufbuild/protobuf";
import { EdgeService } from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import { SessionService } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import { type Call, noBytes, type Router } from "@chappe/mesh/rpc/call.ts";
import { type MethodContract, svidOf } from "@chappe/mesh/rpc/contracts.ts";
import {
  bearerOf,
  createUnaryCalls,
  deadlineOf,
  forwardedForOf,
  peerAddressOf,
  type UnaryCall,
} from "@chappe/mesh/rpc/grpc-unary.ts";
import { type Identity, publicIdentity } from "@chappe/mesh/rpc/identity.ts";
import type { LiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import type { TokenVerifier } from "@chappe/mesh/rpc/token-verifier.ts";
import { createTrustedProxies, type TrustedProxies } from "@chappe/mesh/rpc/trusted-proxies.ts";
import { clientContextOf } from "@chappe/mesh/telemetry/client-context.ts";
import type { Server } from "@grpc/grpc-js";
import { addReflection } from "./reflection.ts";

/** What createGrpcEdge needs. */
export interface GrpcEdgeOptions {
  readonly contracts: LiveContracts;
  readonly router: Router;
  readonly verifier: TokenVerifier;
  /** Proxies whose X-Forwarded-For is taken. @default none */
  readonly trustedProxies?: readonly string[];
}

/** Unary gRPC for every method that the contracts open to clients, and server reflection. */
export interface GrpcEdge {
  /** Serves them on a gRPC server, now and as services come and go. */
  addTo(server: Server): void;
  /** Follows the contracts no more. */
  close(): void;
}

/** Login serves these itself. */
const ofLogin: ReadonlySet<number> = new Set([svidOf(EdgeService), svidOf(SessionService)]);

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
  readonly #proxies: TrustedProxies;
  readonly #calls = createUnaryCalls();
  readonly #served = new Map<string, MethodContract>();
  #unfollow: () => void = () => undefined;

  constructor(options: GrpcEdgeOptions) {
    this.#options = options;
    this.#proxies = createTrustedProxies(options.trustedProxies ?? []);
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
      this.#calls.serve(server, path, (call) => this.#answer(contract, call));
      this.#served.set(path, contract);
    }
  }

  async #answer(contract: MethodContract, call: UnaryCall): Promise<Uint8Array> {
    const gone = new AbortController();
    call.once("cancelled", () => gone.abort());
    return this.#options.router.call(await this.#callOf(contract, call, gone.signal));
  }

  async #callOf(contract: MethodContract, call: UnaryCall, signal: AbortSignal): Promise<Call> {
    const identity = await this.#identityOf(call);
    authorize(contract.auth, identity);
    const { svid, cmd } = contract;
    return {
      svid,
      cmd,
      payload: call.request,
      identity,
      affinity: affinityOf(contract, call.request),
      deadlineMs: deadlineOf(call),
      traceContext: clientContextOf((name) => call.metadata.get(name)[0]?.toString()),
      clientAddress: this.#proxies.clientOf(peerAddressOf(call.getPeer()), forwardedForOf(call.metadata)),
      signal,
    };
  }

  /** Whoever the token says; nobody in particular without one. */
  async #identityOf({ metadata }: UnaryCall): Promise<Identity> {
    if (metadata.get("authorization").length === 0) return publicIdentity;
    const token = bearerOf(metadata);
    if (token === undefined) throw new ChappeError("UNAUTHENTICATED");
    const { userId, sessionId } = await this.#options.verifier.verify(token);
    return { kind: "user", userId, sessionId, deviceId: 0n };
  }
}

/** Makes the gRPC edge. */
export function createGrpcEdge(options: GrpcEdgeOptions): GrpcEdge {
  return new Edge(options);
}
