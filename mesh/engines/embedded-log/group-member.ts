import { setTimeout as pause } from "node:timers/promises";
import { ChappeError } from "../../errors/chappe-error.ts";
import type { LogConsumer } from "../../ports/log.ts";
import type { ConsumerGroup } from "./consumer-group.ts";
import type { PartitionReader } from "./partition-reader.ts";
import { WakeSignal } from "./wake-signal.ts";

/** How long a member waits after a rejection: doubling from the first to the second, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** What a member tells its log. */
export interface MemberEvents {
  /** The consumer rejected a call. */
  readonly onRejected: (error: unknown) => void;
  /** The subscription ended because its records cannot be read. */
  readonly onLost: (error: ChappeError) => void;
}

/** One subscription: calls its consumer, one call at a time. */
export class GroupMember {
  /** Partitions that the group gives to this member. */
  target: readonly number[] = [];
  readonly #group: ConsumerGroup;
  readonly #consumer: LogConsumer;
  readonly #reader: PartitionReader;
  readonly #backoff: Backoff;
  readonly #events: MemberEvents;
  readonly #signal = new WakeSignal();
  readonly #closing = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  #waitMs = 0;
  #finished: Promise<void> | undefined;

  constructor(
    group: ConsumerGroup,
    consumer: LogConsumer,
    reader: PartitionReader,
    options: { readonly backoff: Backoff; readonly events: MemberEvents },
  ) {
    this.#group = group;
    this.#consumer = consumer;
    this.#reader = reader;
    this.#backoff = options.backoff;
    this.#events = options.events;
  }

  /** Partitions this member owns now. */
  get owned(): readonly number[] {
    return this.#reader.owned;
  }

  /** Starts; settles after the first assignment, CORRUPT when its start offsets are not in the log. */
  start(): Promise<void> {
    this.#finished = this.#run();
    return this.#started.promise;
  }

  /** Something may have changed: records, owners or targets. */
  wake(): void {
    this.#signal.wake();
  }

  /** Remembers how far this member has come with partitions that it owns. */
  commit(offsets: ReadonlyMap<number, number>): void {
    for (const [partition, offset] of offsets) {
      if (this.#reader.has(partition)) this.#group.commit(partition, offset);
    }
  }

  /** Durable records not handed over yet. */
  lag(): number {
    let lag = 0;
    for (const partition of this.target) {
      lag += this.#group.end(partition) - (this.#reader.nextOf(partition) ?? this.#group.committed(partition));
    }
    return lag;
  }

  /** Stops after the call in hand; calls `revoked` for what is owned. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#signal.wake();
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!signal.aborted) {
        if (await this.#turn()) await this.#signal.wait();
      }
    } catch (error) {
      // Only what the log itself cannot do ends up here: the records that are due cannot be read.
      const lost = ChappeError.from(error);
      this.#started.reject(lost);
      this.#events.onLost(lost);
    }
    this.#group.leave(this);
    await this.#revoke(this.owned);
    await this.#reader.close();
    this.#started.resolve();
  }

  /** One round: give up, take over, hand over. Answers whether there is nothing to do until the next wake. */
  async #turn(): Promise<boolean> {
    await this.#revoke(this.owned.filter((partition) => !this.target.includes(partition)));
    const gained = this.#group.claim(this);
    if (gained.length > 0 && !(await this.#assign(gained))) return false;
    this.#started.resolve();
    const batches = await this.#reader.collect();
    if (batches.length === 0) return true;
    try {
      await this.#consumer.records(batches);
      this.#waitMs = 0;
    } catch (error) {
      await this.#abandon(error);
    }
    return false;
  }

  async #assign(gained: readonly number[]): Promise<boolean> {
    let answered: ReadonlyMap<number, number>;
    try {
      answered = await this.#consumer.assigned(gained);
    } catch (error) {
      await this.#abandon(error, gained);
      return false;
    }
    const starts = gained.map((partition) => {
      const start = answered.get(partition) ?? this.#group.committed(partition);
      return [partition, this.#group.startOf(partition, start)];
    });
    try {
      this.#reader.add(new Map(starts as [number, number][]));
    } catch (error) {
      await this.#revoke(gained);
      throw error;
    }
    return true;
  }

  async #abandon(error: unknown, gained: readonly number[] = []): Promise<void> {
    this.#events.onRejected(error);
    await this.#revoke([...this.owned, ...gained]);
    this.#waitMs = Math.min(Math.max(this.#backoff.firstMs, this.#waitMs * 2), this.#backoff.maxMs);
    // The first attempt is over; a subscriber need not wait for the next one.
    this.#started.resolve();
    await pause(this.#waitMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }

  async #revoke(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return;
    try {
      await this.#consumer.revoked(partitions);
    } catch (error) {
      this.#events.onRejected(error);
    }
    this.#reader.remove(partitions);
    this.#group.release(this, partitions);
  }
}
