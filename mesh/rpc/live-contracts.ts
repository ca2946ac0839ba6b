import type { DescService } from "@bufbuild/protobuf";
import type { Contracts, EventContract, MethodContract } from "./contracts.ts";

/** Contracts to which services are added while they run. */
export interface LiveContracts extends Contracts {
  /**
   * Puts a service with its addressed methods in, instead of what its SVID had before. Throws for an SVID of the
   * contracts it was made of, and when `limit` services are added already.
   */
  put(service: DescService, methods: readonly MethodContract[]): void;
  /** SVIDs of the added services, the oldest first. */
  readonly addedSvids: readonly number[];
  /** Takes an added service out. */
  delete(svid: number): void;
  /** Calls back after each change; answers the unsubscribe. */
  onChanged(listener: () => void): () => void;
}

interface Added {
  readonly service: DescService;
  readonly methods: ReadonlyMap<number, MethodContract>;
}

class Overlay implements LiveContracts {
  readonly #own: Contracts;
  readonly #limit: number;
  readonly #services: Map<number, DescService>;
  readonly #added = new Map<number, Added>();
  readonly #listeners = new Set<() => void>();

  constructor(own: Contracts, limit: number) {
    this.#own = own;
    this.#limit = limit;
    this.#services = new Map(own.services);
  }

  get addedSvids(): readonly number[] {
    return [...this.#added.keys()];
  }
  get services(): ReadonlyMap<number, DescService> {
    return this.#services;
  }
  get methods(): readonly MethodContract[] {
    return [...this.#own.methods, ...[...this.#added.values()].flatMap(({ methods }) => [...methods.values()])];
  }
  get events(): readonly EventContract[] {
    return this.#own.events;
  }

  servedBy(svid: number): string | undefined {
    return this.#own.servedBy(svid);
  }
  method(svid: number, cmd: number): MethodContract | undefined {
    return this.#own.method(svid, cmd) ?? this.#added.get(svid)?.methods.get(cmd);
  }
  event(svid: number, cmd: number): EventContract | undefined {
    return this.#own.event(svid, cmd);
  }

  put(service: DescService, methods: readonly MethodContract[]): void {
    const { svid } = methods[0] ?? {};
    if (svid === undefined) throw new Error(`${service.typeName} has no method`);
    if (this.#own.services.has(svid)) throw new Error(`SVID ${svid} is not one that a service may be added for`);
    if (!this.#added.has(svid) && this.#added.size >= this.#limit) throw new Error("too many services are added");
    this.#added.set(svid, { service, methods: new Map(methods.map((method) => [method.cmd, method])) });
    this.#services.set(svid, service);
    this.#changed();
  }

  delete(svid: number): void {
    if (!this.#added.delete(svid)) return;
    this.#services.delete(svid);
    this.#changed();
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Contracts that start as `own` and take up to `limit` further services. */
export function createLiveContracts(own: Contracts, limit: number): LiveContracts {
  return new Overlay(own, limit);
}
