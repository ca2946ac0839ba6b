import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { LoginService } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import { authorize } from "@chappe/mesh/rpc/authorize.ts";
import type { Backend, Call, Router } from "@chappe/mesh/rpc/call.ts";
import type { Contracts, MethodContract } from "@chappe/mesh/rpc/contracts.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { BackendSet } from "./backend-set.ts";
import { RouteStats } from "./route-stats.ts";

/** What Route stands on. */
export interface RouteOptions {
  readonly contracts: Contracts;
  readonly directory: Directory;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
  /** Told of the messages that pass. @default nobody */
  readonly hops?: Hops;
}

/** What Route should know of a backend. */
export interface AttachOptions {
  /** Address of a gRPC server; it may break in the middle of a call. @default "local" */
  readonly address?: string;
}

/** Takes calls to backends by SVID. */
export interface Route extends Router {
  /**
   * Serves the backend's SVID by it from now on and enters `svid:N` in the Directory; `id` is unique in the SVID.
   * Answers the detach: no new call after it, calls in hand go on. Rejects when the id is taken or no contract has
   * the SVID.
   */
  attach(backend: Backend, id?: string, options?: AttachOptions): Promise<() => Promise<void>>;
  /** Ids of the backends of an SVID. */
  idsOf(svid: number): readonly string[];
  /** Whether a backend of the SVID is attached. */
  serves(svid: number): boolean;
  /** What became of its calls. */
  stats(): RouteStats;
  /** Detaches every backend; calls are answered UNAVAILABLE from then on. */
  close(): Promise<void>;
}

const loginAffinity = "@login";
const sendAddress = methodContractOf(MessageService.method.send);
const deliverAddress = methodContractOf(LoginService.method.deliver);

/** The call with the Login process of its caller as what chooses the backend. */
function withLoginAffinity(call: Call): Call {
  const { connection } = call.identity;
  return connection === undefined ? call : { ...call, affinity: Buffer.from(connection.loginId, "utf8") };
}

const isIdempotent = ({ method }: MethodContract): boolean =>
  method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;

/** Why the call goes to no backend. */
function refusalOf(call: Call, contract: MethodContract, nowMs: number): ChappeError | undefined {
  if (call.deadlineMs <= nowMs) return new ChappeError("DEADLINE_EXCEEDED");
  if (call.signal?.aborted === true) return new ChappeError("CANCELLED");
  if (call.identity.kind === "internal") return undefined;
  try {
    authorize(contract.auth, call.identity);
  } catch (error) {
    return ChappeError.from(error);
  }
  return undefined;
}

class ContractRoute implements Route {
  readonly #options: RouteOptions;
  readonly #now: () => number;
  readonly #hops: Hops;
  readonly #stats = new RouteStats();
  readonly #sets = new Map<number, BackendSet>();
  readonly #detachers = new Set<() => Promise<void>>();

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#hops = options.hops ?? noHops;
  }

  call(call: Call): Promise<Uint8Array> {
    const contract = this.#options.contracts.method(call.svid, call.cmd);
    const refusal = contract === undefined ? new ChappeError("UNKNOWN_METHOD") : refusalOf(call, contract, this.#now());
    if (contract === undefined || refusal !== undefined) {
      this.#stats.refused++;
      return Promise.reject(refusal);
    }
    const set = this.#sets.get(call.svid);
    if (set === undefined) {
      this.#stats.unserved++;
      return Promise.reject(new ChappeError("UNAVAILABLE", `No backend serves SVID ${call.svid}`));
    }
    this.#see(call);
    const answer = this.#forward(set, call, contract);
    this.#time(answer);
    return answer;
  }

  stats(): RouteStats {
    return this.#stats;
  }

  async attach(backend: Backend, id = "local", options: AttachOptions = {}): Promise<() => Promise<void>> {
    const { svid } = backend;
    const { address = "local" } = options;
    if (!this.#options.contracts.services.has(svid)) throw new Error(`no contract has SVID ${svid}`);
    const set = this.#sets.get(svid) ?? new BackendSet(this.#now);
    set.add(id, backend, address !== "local");
    this.#sets.set(svid, set);
    const removeEntry = await this.#options.directory
      .register({ role: `svid:${svid}`, id, address })
      .catch((error: unknown) => {
        this.#remove(svid, set, id);
        throw error;
      });
    const detach = async (): Promise<void> => {
      if (!this.#detachers.delete(detach)) return;
      this.#remove(svid, set, id);
      await removeEntry();
    };
    this.#detachers.add(detach);
    return detach;
  }

  idsOf(svid: number): readonly string[] {
    return this.#sets.get(svid)?.ids ?? [];
  }

  serves(svid: number): boolean {
    return this.#sets.has(svid);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#detachers].map((detach) => detach()));
  }

  #forward(set: BackendSet, call: Call, contract: MethodContract): Promise<Uint8Array> {
    if (call.target !== undefined) return set.callTarget(call, call.target);
    if (set.single !== undefined) return set.single.handle(call);
    return set.call(contract.affinity === loginAffinity ? withLoginAffinity(call) : call, isIdempotent(contract));
  }

  #time(answer: Promise<Uint8Array>): void {
    const stats = this.#stats;
    const startMs = performance.now();
    answer.then(
      () => {
        stats.answered++;
        stats.time.record(performance.now() - startMs);
      },
      () => {
        stats.failed++;
        stats.time.record(performance.now() - startMs);
      },
    );
  }

  #see({ svid, cmd, payload, traceContext, target }: Call): void {
    if (svid === sendAddress.svid && cmd === sendAddress.cmd)
      this.#hops.sendSeen(Hop.ROUTE_UP, payload, traceContext, false);
    else if (target !== undefined && svid === deliverAddress.svid && cmd === deliverAddress.cmd)
      this.#hops.deliverSeen(payload, target);
  }

  #remove(svid: number, set: BackendSet, id: string): void {
    set.remove(id);
    if (set.size === 0) this.#sets.delete(svid);
  }
}

/** Makes a Route for backends in this process. It holds no business logic and nothing that outlives it. */
export function createRoute(options: RouteOptions): Route {
  return new ContractRoute(options);
}
