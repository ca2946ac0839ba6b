import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Backend, Call } from "@chappe/mesh/rpc/call.ts";
import { Outlier } from "./outlier.ts";
import { RetryBudget } from "./retry-budget.ts";

interface Slot {
  readonly id: string;
  readonly backend: Backend;
  readonly idHash: number;
  readonly outlier: Outlier;
  readonly remote: boolean;
  inFlight: number;
  /** Which call of the set it had last. */
  lastCall: number;
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

function byAffinity(slots: readonly Slot[], affinity: Uint8Array): Slot | undefined {
  let best: Slot | undefined;
  let bestWeight = -1;
  for (const slot of slots) {
    const weight = mix(fnv1a(affinity, slot.idHash));
    if (weight > bestWeight) {
      best = slot;
      bestWeight = weight;
    }
  }
  return best;
}

const isBefore = (slot: Slot, other: Slot): boolean =>
  slot.inFlight === other.inFlight ? slot.lastCall < other.lastCall : slot.inFlight < other.inFlight;

function leastBusy(slots: readonly Slot[]): Slot | undefined {
  let best: Slot | undefined;
  for (const slot of slots) if (best === undefined || isBefore(slot, best)) best = slot;
  return best;
}

/**
 * The backends of one SVID. A call with affinity goes to the backend of the highest rendezvous weight, so a backend
 * that comes or goes moves only its own share; other calls go where the fewest are in flight, and
 * of those to the one that has waited longest. A backend that fails
 * several times in a row is left out for a while, never more than half of them. A call that may be repeated is, when
 * its backend is out of reach, as long as the retry budget lasts.
 */
export class BackendSet {
  readonly #now: () => number;
  readonly #budget: RetryBudget;
  #slots: readonly Slot[] = [];
  #calls = 0;
  /** The only backend, when it is in this mesh: calls to it are not counted, so the common path costs nothing. */
  single: Backend | undefined;

  /** `now` = Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#budget = new RetryBudget(now);
  }

  get ids(): readonly string[] {
    return this.#slots.map(({ id }) => id);
  }

  get size(): number {
    return this.#slots.length;
  }

  /** Adds a backend; `remote` = it may break in the middle of a call. Throws when the id is taken. */
  add(id: string, backend: Backend, remote: boolean): void {
    if (this.#slots.some((slot) => slot.id === id))
      throw new Error(`backend ${id} of SVID ${backend.svid} is attached`);
    const idHash = fnv1a(Buffer.from(id), 0x811c9dc5);
    this.#replace([...this.#slots, { id, backend, idHash, outlier: new Outlier(), remote, inFlight: 0, lastCall: 0 }]);
  }

  /** Takes a backend out; calls in its hands go on. */
  remove(id: string): void {
    this.#replace(this.#slots.filter((slot) => slot.id !== id));
  }

  /** Calls one of the backends; another one when the first is out of reach and the call is idempotent. */
  async call(call: Call, idempotent: boolean): Promise<Uint8Array> {
    this.#budget.onCall();
    const tried: Slot[] = [];
    let failure: unknown = new ChappeError("UNAVAILABLE");
    while (tried.length < limits.maxCallAttempts) {
      const slot = this.#pick(call, tried);
      if (slot === undefined || (tried.length > 0 && !this.#budget.take())) break;
      try {
        return await this.#callSlot(slot, call);
      } catch (error) {
        failure = error;
      }
      tried.push(slot);
      if (!idempotent || !ChappeError.is(failure, "UNAVAILABLE")) break;
      if (call.signal?.aborted === true || call.deadlineMs <= this.#now()) break;
    }
    throw failure;
  }

  /** Calls the backend of that id: INSTANCE_GONE when it is not there. */
  callTarget(call: Call, id: string): Promise<Uint8Array> {
    const slot = this.#slots.find((one) => one.id === id);
    if (slot === undefined) return Promise.reject(new ChappeError("INSTANCE_GONE"));
    return this.#callSlot(slot, call);
  }

  async #callSlot(slot: Slot, call: Call): Promise<Uint8Array> {
    const startedMs = this.#now();
    slot.inFlight++;
    slot.lastCall = ++this.#calls;
    try {
      const answer = await slot.backend.handle(call);
      slot.outlier.onSuccess();
      return answer;
    } catch (error) {
      if (slot.outlier.onError(error, call, startedMs)) this.#eject(slot);
      throw error;
    } finally {
      slot.inFlight--;
    }
  }

  #eject(slot: Slot): void {
    const now = this.#now();
    if (slot.outlier.isEjected(now)) return;
    const out = this.#slots.filter(({ outlier }) => outlier.isEjected(now)).length;
    if (out + 1 <= Math.floor(this.#slots.length / 2)) slot.outlier.eject(now);
  }

  #pick(call: Call, tried: readonly Slot[]): Slot | undefined {
    const now = this.#now();
    const left = tried.length === 0 ? this.#slots : this.#slots.filter((slot) => !tried.includes(slot));
    const healthy = left.filter(({ outlier }) => !outlier.isEjected(now));
    const slots = healthy.length > 0 ? healthy : left;
    return call.affinity.byteLength > 0 ? byAffinity(slots, call.affinity) : leastBusy(slots);
  }

  #replace(slots: readonly Slot[]): void {
    this.#slots = slots;
    this.single = slots.length === 1 && !slots[0]!.remote ? slots[0]!.backend : undefined;
  }
}
