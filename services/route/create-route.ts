import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Directory } from "@chappe/mesh/ports/directory.ts";
import type { Backend, Call, Router } from "@chappe/mesh/rpc/call.ts";
import type { Contracts } from "@chappe/mesh/rpc/contracts.ts";
import { BackendSet } from "./backend-set.ts";

/** What Route stands on. */
export interface RouteOptions {
  readonly contracts: Contracts;
  readonly directory: Directory;
  /** Unix milliseconds. @default Date.now */
  readonly now?: () => number;
}

/** Takes calls to backends by SVID. */
export interface Route extends Router {
  /**
   * Serves the backend's SVID by it from now on and enters `svid:N` in the Directory; `id` is unique in the SVID.
   * Answers the detach: no new call after it, calls in hand go on. Rejects when the id is taken or no contract has
   * the SVID.
   */
  attach(backend: Backend, id?: string): Promise<() => Promise<void>>;
  /** Detaches every backend; calls are answered UNAVAILABLE from then on. */
  close(): Promise<void>;
}

const loginAffinity = "@login";

/** The call with the Login process of its caller as what chooses the backend. */
function withLoginAffinity(call: Call): Call {
  const { connection } = call.identity;
  return connection === undefined ? call : { ...call, affinity: Buffer.from(connection.loginId, "utf8") };
}

const refuse = (error: ChappeError): Promise<never> => Promise.reject(error);

class ContractRoute implements Route {
  readonly #options: RouteOptions;
  readonly #now: () => number;
  readonly #sets = new Map<number, BackendSet>();
  readonly #detachers = new Set<() => Promise<void>>();

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  call(call: Call): Promise<Uint8Array> {
    const contract = this.#options.contracts.method(call.svid, call.cmd);
    if (contract === undefined) return refuse(new ChappeError("UNKNOWN_METHOD"));
    if (contract.auth === AuthLevel.INTERNAL && call.identity.kind !== "internal")
      return refuse(new ChappeError("UNKNOWN_METHOD"));
    if (call.deadlineMs <= this.#now()) return refuse(new ChappeError("DEADLINE_EXCEEDED"));
    if (call.signal?.aborted === true) return refuse(new ChappeError("CANCELLED"));
    const set = this.#sets.get(call.svid);
    if (set === undefined) return refuse(new ChappeError("UNAVAILABLE", `No backend serves SVID ${call.svid}`));
    if (call.target !== undefined) return set.callTarget(call, call.target);
    if (set.single !== undefined) return set.single.handle(call);
    return set.call(contract.affinity === loginAffinity ? withLoginAffinity(call) : call);
  }

  async attach(backend: Backend, id = "local"): Promise<() => Promise<void>> {
    const { svid } = backend;
    if (!this.#options.contracts.services.has(svid)) throw new Error(`no contract has SVID ${svid}`);
    const set = this.#sets.get(svid) ?? new BackendSet();
    set.add(id, backend);
    this.#sets.set(svid, set);
    const removeEntry = await this.#options.directory
      .register({ role: `svid:${svid}`, id, address: "local" })
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

  async close(): Promise<void> {
    await Promise.all([...this.#detachers].map((detach) => detach()));
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
