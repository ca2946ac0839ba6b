import { AuthLevel } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import type { Registration } from "@chappe/gen/proto/chappe/mesh/v1/registry_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { invalidArgument } from "@chappe/mesh/rpc/invalid-argument.ts";
import type { LiveContracts } from "@chappe/mesh/rpc/live-contracts.ts";
import type { Server } from "@grpc/grpc-js";
import { addBackendEvents } from "./backend-events.ts";
import { type BackendIdentity, createBackendIdentities } from "./backend-identities.ts";
import { contractHash } from "./contract-hash.ts";
import type { Route } from "./create-route.ts";
import { type ParsedContract, parseContract } from "./parse-contract.ts";
import { checkRegistration, RegisteredServer } from "./registration.ts";
import { addRegistryService, type Lease } from "./registry-stream.ts";

/** What createRegistry needs. */
export interface RegistryOptions {
  readonly route: Route;
  readonly contracts: LiveContracts;
  /** Who may register servers; nobody else may. */
  readonly identities: readonly BackendIdentity[];
  readonly logger: Logger;
}

/** Takes registrations of gRPC servers. */
export interface Registry {
  /** Serves RegistryService on a gRPC server. */
  addTo(server: Server): void;
  /** Ends every lease. */
  close(): Promise<void>;
}

/** Servers of one SVID that live now. */
interface Served {
  readonly hash: string;
  readonly leases: Map<string, { readonly lease: Lease; readonly identity: string; readonly ended: Promise<void> }>;
}

class LiveRegistry implements Registry {
  readonly #options: RegistryOptions;
  readonly #identities: ReturnType<typeof createBackendIdentities>;
  readonly #served = new Map<number, Served>();
  readonly #leases = new Set<Lease>();
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#identities = createBackendIdentities(options.identities);
  }

  addTo(server: Server): void {
    addBackendEvents(server, { router: this.#options.route, identities: this.#identities });
    addRegistryService(server, {
      onLease: (lease) => this.#opened(lease),
      register: (lease, registration, secret) => this.#register(lease, registration, secret),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ended = [...this.#leases].map((lease) => lease.ended);
    for (const lease of this.#leases) lease.end(new ChappeError("UNAVAILABLE", "This Route is going down."));
    await Promise.all(ended);
  }

  #opened(lease: Lease): void {
    if (this.#closed || this.#leases.size >= limits.maxRegistrations) {
      lease.end(new ChappeError(this.#closed ? "UNAVAILABLE" : "OVERLOADED"));
      return;
    }
    this.#leases.add(lease);
    void lease.ended.then(() => this.#leases.delete(lease));
  }

  async #register(lease: Lease, registration: Registration, secret: string) {
    const { svid, identity, instanceId, service, files, address } = registration;
    this.#identities.check(identity, secret, svid);
    checkRegistration(registration);
    const contract = parseContract(files, service, svid);
    const hash = contractHash(contract.methods);
    await this.#displace(registration);
    this.#admit(registration, contract, hash);
    const server = new RegisteredServer(registration, contract);
    const served = this.#served.get(svid) ?? { hash, leases: new Map() };
    this.#served.set(svid, served);
    const ended = this.#serve(lease, server).finally(() => {
      served.leases.delete(instanceId);
      if (served.leases.size === 0) this.#served.delete(svid);
    });
    served.leases.set(instanceId, { lease, identity, ended });
    await lease.attached;
    this.#options.logger.info("registry.registered", { svid, service, instanceId, address, identity, hash });
    const openMethods = contract.methods.filter(({ auth }) => auth !== AuthLevel.INTERNAL).length;
    return { contractHash: hash, openMethods };
  }

  /** Ends the lease of a server that comes again: its old stream may be a connection that broke without a word. */
  async #displace({ svid, instanceId, identity }: Registration): Promise<void> {
    const older = this.#served.get(svid)?.leases.get(instanceId);
    if (older === undefined) return;
    if (older.identity !== identity)
      throw new ChappeError("BACKEND_REFUSED", `Instance ${instanceId} belongs to another identity.`);
    older.lease.end(new ChappeError("STALE_OWNER", "A server with the same instance id has registered."));
    await older.ended;
  }

  /** Makes the contract known. It stays when its last server goes: calls are answered UNAVAILABLE until one is back. */
  #admit({ svid, service }: Registration, contract: ParsedContract, hash: string): void {
    const { contracts } = this.#options;
    const living = this.#served.get(svid);
    if (living !== undefined && living.hash !== hash)
      throw new ChappeError(
        "CONTRACT_MISMATCH",
        `SVID ${svid} is served with contract ${living.hash}, this is ${hash}.`,
      );
    for (const [other, { typeName }] of contracts.services)
      if (other !== svid && typeName === service)
        throw invalidArgument("service", "unique", `${service} has SVID ${other} already`);
    if (living !== undefined) return;
    this.#makeRoom(svid);
    contracts.put(contract.service, contract.methods);
  }

  #makeRoom(svid: number): void {
    const { contracts } = this.#options;
    const added = contracts.addedSvids;
    if (added.includes(svid) || added.length < limits.maxLiveServices) return;
    const idle = added.find((one) => !this.#served.has(one));
    if (idle === undefined) throw new ChappeError("OVERLOADED", "Too many services are registered.");
    contracts.delete(idle);
  }

  /** Attaches the server for as long as the lease lasts. */
  async #serve(lease: Lease, server: RegisteredServer): Promise<void> {
    const { route, logger } = this.#options;
    const { instanceId, address, svid } = server.registration;
    let detach: (() => Promise<void>) | undefined;
    try {
      detach = await route.attach(server, instanceId, { address });
      lease.onAttached();
      await Promise.race([lease.draining, lease.ended]);
      await detach();
      await Promise.race([server.idle(), lease.ended]);
      lease.onDrained();
    } catch (error) {
      lease.end(error);
    } finally {
      await lease.ended;
      logger.info("registry.ended", { svid, instanceId });
      // The channel stays for calls in hand; each of them has a deadline.
      void server.idle().then(() => server.close());
    }
  }
}

/** Makes a registry that attaches what registers to the Route. */
export function createRegistry(options: RegistryOptions): Registry {
  return new LiveRegistry(options);
}
