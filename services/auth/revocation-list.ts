import { readChange, sessionPartition } from "@chappe/mesh/changes/read-change.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Log, LogConsumer, LogSubscription, PartitionBatch } from "@chappe/mesh/ports/log.ts";
import type { Revocation } from "@chappe/mesh/rpc/token-verifier.ts";

/** What createRevocationList needs. */
export interface RevocationListOptions {
  readonly log: Pick<Log, "end" | "subscribe">;
  readonly onRevocation: (revocation: Revocation) => void;
  readonly logger: Logger;
}

/**
 * The newest revocations of all processes. Places are offsets on the log of changes, so a place that one process gave
 * means the same to every other.
 */
export interface RevocationList {
  /** Reads from the end of the log on; settles when that is known. */
  start(): Promise<void>;
  /** Place after all that this process has read. */
  readonly end: number;
  /** Those from a place on; undefined when some of them are not here. */
  from(place: number): readonly Revocation[] | undefined;
  /** Whether the place is one that the log has not got to, so it is another log's. */
  isForeign(place: number): Promise<boolean>;
  /** Settles when there is something after the place, after `waitMs`, when `signal` aborts, or when the list closes. */
  changed(place: number, waitMs: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface Item {
  readonly place: number;
  readonly revocation: Revocation;
}

function revocationOf(payload: Uint8Array): Revocation | undefined {
  const { what, version } = readChange(payload);
  if (what.case === "endedSession") return { ...idsOf(what.value), minSessionVersion: 0 };
  if (what.case === "raisedSessions")
    return { userId: what.value.userId, sessionId: 0n, minSessionVersion: Number(version) };
  return undefined;
}

const idsOf = ({ userId, sessionId }: { userId: bigint; sessionId: bigint }) => ({ userId, sessionId });

/** Index of the first item at the place or after it; the items are in order. */
function firstFrom(items: readonly Item[], place: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle]!.place < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

class List implements RevocationList, LogConsumer {
  readonly #options: RevocationListOptions;
  readonly #next = new Map<number, number>();
  readonly #waiting = new Set<() => void>();
  #items: Item[] = [];
  /** The place before which nothing is here. */
  #first = 0;
  #closed = false;
  #subscription: LogSubscription | undefined;

  constructor(options: RevocationListOptions) {
    this.#options = options;
  }

  get end(): number {
    return this.#next.get(sessionPartition) ?? 0;
  }

  async start(): Promise<void> {
    this.#subscription = await this.#options.log.subscribe("changes", undefined, this);
  }

  /** Where it got to; at the end of the log the first time. */
  async assigned(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    for (const partition of partitions) {
      if (this.#next.has(partition)) continue;
      this.#next.set(partition, await this.#options.log.end("changes", partition));
      if (partition === sessionPartition) this.#first = this.end;
    }
    return new Map(partitions.map((partition) => [partition, this.#next.get(partition)!]));
  }

  revoked(): Promise<void> {
    return Promise.resolve();
  }

  async records(batches: readonly PartitionBatch[]): Promise<void> {
    for (const { partition, entries } of batches) {
      if (partition === sessionPartition) for (const { offset, payload } of entries) this.#add(offset, payload);
      this.#next.set(partition, entries.at(-1)!.offset + 1);
    }
    this.#wake();
  }

  from(place: number): readonly Revocation[] | undefined {
    if (place < this.#first || place > this.end) return undefined;
    return this.#items.slice(firstFrom(this.#items, place)).map(({ revocation }) => revocation);
  }

  async isForeign(place: number): Promise<boolean> {
    return place > this.end && place > (await this.#options.log.end("changes", sessionPartition));
  }

  async changed(place: number, waitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => {
      if (this.#closed || this.end > place) resolve();
    };
    const timer = setTimeout(resolve, waitMs);
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(wake);
    await promise;
    this.#waiting.delete(wake);
    signal.removeEventListener("abort", onAbort);
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#subscription?.close();
  }

  #add(place: number, payload: Uint8Array): void {
    // Handed over again after a rejection or a new assignment.
    if (place < this.end) return;
    let revocation: Revocation | undefined;
    try {
      revocation = revocationOf(payload);
    } catch (error) {
      this.#options.logger.error("revocations.unreadable", { place, error: ChappeError.from(error) });
      return;
    }
    if (revocation === undefined) return;
    this.#items.push({ place, revocation });
    if (this.#items.length > 2 * limits.maxRevocations) {
      this.#items = this.#items.slice(-limits.maxRevocations);
      this.#first = this.#items[0]!.place;
    }
    this.#options.onRevocation(revocation);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Makes a list; it is empty until `start`. */
export function createRevocationList(options: RevocationListOptions): RevocationList {
  return new List(options);
}
