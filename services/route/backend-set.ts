import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Backend, Call } from "@chappe/mesh/rpc/call.ts";

interface Slot {
  readonly id: string;
  readonly backend: Backend;
  readonly idHash: number;
  inFlight: number;
}

function fnv1a(bytes: Uint8Array, seed: number): number {
  let hash = seed;
  for (let i = 0; i < bytes.byteLength; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}

function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/**
 * The backends of one SVID. A call with affinity goes to the backend of the highest rendezvous weight, so a backend
 * that comes or goes moves only its own share; other calls go where the fewest are in flight.
 */
export class BackendSet {
  #slots: readonly Slot[] = [];
  /** The only backend, when there is one: calls to it are not counted, so the common path costs nothing. */
  single: Backend | undefined;

  get size(): number {
    return this.#slots.length;
  }

  /** Adds a backend. Throws when the id is taken. */
  add(id: string, backend: Backend): void {
    if (this.#slots.some((slot) => slot.id === id))
      throw new Error(`backend ${id} of SVID ${backend.svid} is attached`);
    this.#replace([...this.#slots, { id, backend, idHash: fnv1a(Buffer.from(id), 0x811c9dc5), inFlight: 0 }]);
  }

  /** Takes a backend out; calls in its hands go on. */
  remove(id: string): void {
    this.#replace(this.#slots.filter((slot) => slot.id !== id));
  }

  /** Calls one of several backends. */
  call(call: Call): Promise<Uint8Array> {
    const slot = call.affinity.byteLength > 0 ? this.#byAffinity(call.affinity) : this.#leastBusy();
    if (slot === undefined) return Promise.reject(new ChappeError("UNAVAILABLE"));
    slot.inFlight++;
    return slot.backend.handle(call).finally(() => {
      slot.inFlight--;
    });
  }

  /** Calls the backend of that id: INSTANCE_GONE when it is not there. */
  callTarget(call: Call, id: string): Promise<Uint8Array> {
    const slot = this.#slots.find((one) => one.id === id);
    if (slot === undefined) return Promise.reject(new ChappeError("INSTANCE_GONE"));
    return slot.backend.handle(call);
  }

  #replace(slots: readonly Slot[]): void {
    this.#slots = slots;
    this.single = slots.length === 1 ? slots[0]!.backend : undefined;
  }

  #byAffinity(affinity: Uint8Array): Slot | undefined {
    let best: Slot | undefined;
    let bestWeight = -1;
    for (const slot of this.#slots) {
      const weight = mix(fnv1a(affinity, slot.idHash));
      if (weight > bestWeight) {
        best = slot;
        bestWeight = weight;
      }
    }
    return best;
  }

  #leastBusy(): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.#slots) if (best === undefined || slot.inFlight < best.inFlight) best = slot;
    return best;
  }
}
