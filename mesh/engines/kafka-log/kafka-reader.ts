import { ChappeError } from "../../errors/chappe-error.ts";
import { limits } from "../../limits.ts";
import type { LogConsumer, LogEntry, LogSubscription, PartitionBatch } from "../../ports/log.ts";
import type { Fetch, GroupMember, MemberEvents, TopicEnds } from "./kafka-client.ts";
import type { KafkaReport } from "./kafka-log-options.ts";
import { sleep } from "./sleep.ts";

/** What a reader needs. */
export interface KafkaReaderOptions {
  readonly createMember: (events: MemberEvents) => GroupMember;
  readonly topic: string;
  /** Whether it is owed nothing: then it starts with what is kept. */
  readonly isAlone: boolean;
  readonly reader: LogConsumer;
  /** Committed offsets of the group, those that there are. */
  readonly committed: () => Promise<ReadonlyMap<number, number>>;
  readonly ends: () => Promise<TopicEnds>;
  readonly onFailed: (error: ChappeError) => void;
  readonly report: KafkaReport;
}

/** Records of one fetch, and where its next one begins when they are handed over; undefined = as before. */
interface Fetched {
  readonly generation: number;
  readonly partition: number;
  readonly entries: readonly LogEntry[];
  readonly done: (lastOffset: number | undefined) => void;
}

/**
 * One member of a consumer group. A generation is what one assignment lasts: it ends with a rebalance or with a
 * rejection of the reader, and what was fetched in it is dropped then. Kafka gives a partition of a member that does
 * not answer to another one without its consent: the epoch of the reader's store decides then.
 */
export class KafkaReader implements LogSubscription, MemberEvents {
  readonly #options: KafkaReaderOptions;
  readonly #member: GroupMember;
  /** Offset that the reader gets next, by partition of this generation. */
  readonly #next = new Map<number, number>();
  readonly #high = new Map<number, number>();
  readonly #commits = new Map<number, number>();
  /** Fetches in a row from another place than the next one, by partition. */
  readonly #misplaced = new Map<number, number>();
  #owned: readonly number[] = [];
  #generation = 0;
  #turn: Promise<void> = Promise.resolve();
  #fetched: Fetched[] = [];
  #pumping = false;
  #closed = false;
  readonly #began = Promise.withResolvers<void>();
  readonly #commitTimer: NodeJS.Timeout;

  constructor(options: KafkaReaderOptions) {
    this.#options = options;
    this.#began.promise.catch(() => {});
    this.#member = options.createMember(this);
    this.#commitTimer = setInterval(() => void this.#sendCommits(), limits.kafkaCommitMs);
  }

  /** Settles when the first assignment has begun; rejects when it cannot. */
  async start(): Promise<void> {
    await this.#member.start();
    await this.#began.promise;
  }

  onAssigned(partitions: readonly number[]): void {
    if (this.#closed) return;
    const generation = this.#end();
    void this.#inTurn(() => this.#begin(generation, partitions));
  }

  onLost(): void {
    this.#end();
    void this.#inTurn(() => this.#revoke());
  }

  onOutOfRange(error: Error): void {
    const generation = this.#generation;
    void this.#inTurn(() => this.#recover(generation, error));
  }

  onCrash(error: Error, restarts: boolean): void {
    this.onLost();
    this.#options.report("reader-crashed", { error, restarts });
    if (!restarts)
      this.#options.onFailed(new ChappeError("UNAVAILABLE", "a Kafka reader has stopped", { cause: error }));
  }

  /** Somebody in this process has appended. */
  onAppended(partition: number, end: number): void {
    if (end > (this.#high.get(partition) ?? 0)) this.#high.set(partition, end);
  }

  onFetch({ partition, entries, high }: Fetch): Promise<number | undefined> {
    this.onAppended(partition, high);
    const handed = Promise.withResolvers<number | undefined>();
    this.#fetched.push({ generation: this.#generation, partition, entries, done: handed.resolve });
    this.#pump();
    return handed.promise;
  }

  commit(offsets: ReadonlyMap<number, number>): void {
    for (const [partition, offset] of offsets) this.#commits.set(partition, offset);
  }

  lag(): number {
    let lag = 0;
    for (const [partition, next] of this.#next) lag += Math.max(0, (this.#high.get(partition) ?? next) - next);
    return lag;
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      clearInterval(this.#commitTimer);
      this.#end();
      await this.#inTurn(() => this.#revoke());
      await this.#sendCommits();
    }
    await this.#member.close();
  }

  /** One call of the reader at a time. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(work).catch((error: unknown) => this.#fail(ChappeError.from(error)));
    return this.#turn;
  }

  /** Ends the generation; answers the number of the next one. */
  #end(): number {
    for (const { done } of this.#fetched.splice(0)) done(undefined);
    return ++this.#generation;
  }

  async #revoke(): Promise<void> {
    const partitions = this.#owned;
    this.#owned = [];
    this.#next.clear();
    if (partitions.length > 0) await this.#options.reader.revoked(partitions);
  }

  async #begin(generation: number, partitions: readonly number[]): Promise<void> {
    await this.#revoke();
    for (let waitMs: number = limits.kafkaRetryMs; ; waitMs = Math.min(2 * waitMs, limits.maxLogRedeliveryMs)) {
      if (generation !== this.#generation) return;
      if (partitions.length === 0) break;
      this.#owned = partitions;
      try {
        await this.#position(await this.#options.reader.assigned(partitions), partitions);
        break;
      } catch (error) {
        await this.#revoke();
        if (ChappeError.is(error, "CORRUPT")) throw error;
        this.#options.report("assign-failed", { error });
        await sleep(waitMs);
      }
    }
    this.#began.resolve();
    this.#pump();
  }

  /** Where each partition goes on, and the fetches from there. */
  async #position(starts: ReadonlyMap<number, number>, partitions: readonly number[]): Promise<void> {
    const { isAlone, committed, ends } = this.#options;
    const known = starts.size < partitions.length ? await committed() : starts;
    const found = await ends();
    for (const partition of partitions) {
      const { low, high } = found.get(partition) ?? { low: 0, high: 0 };
      const wanted = starts.get(partition) ?? known.get(partition) ?? 0;
      const start = isAlone ? Math.max(wanted, low) : wanted;
      this.#checkKept(partition, start, low, high);
      this.#next.set(partition, start);
      this.#misplaced.delete(partition);
      this.onAppended(partition, high);
      this.#member.seek(partition, start);
    }
  }

  #checkKept(partition: number, start: number, low: number, high: number): void {
    const { topic } = this.#options;
    if (start < low) throw corrupt(`${topic}/${partition} begins at ${low}, but ${start} was to be read next`);
    if (start > high) throw corrupt(`${topic}/${partition} ends at ${high}, but all before ${start} was read`);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    void this.#inTurn(async () => {
      this.#pumping = false;
      await this.#handOver();
    });
  }

  async #handOver(): Promise<void> {
    const generation = this.#generation;
    const fetched = this.#fetched.splice(0);
    try {
      for (const batches of cutBatches(fetched.flatMap((one) => this.#fresh(one, generation)))) {
        if (generation !== this.#generation) break;
        for (const { partition, entries } of batches) this.#next.set(partition, entries.at(-1)!.offset + 1);
        await this.#options.reader.records(batches);
      }
      const isOver = generation !== this.#generation;
      for (const { partition, done } of fetched) done(isOver ? undefined : (this.#next.get(partition) ?? 0) - 1);
    } catch (error) {
      for (const { done } of fetched) done(undefined);
      await this.#recover(generation, error);
    }
  }

  /**
   * What the reader has not had. A fetch from another place was on its way when the place changed: it is dropped, and
   * the next one begins where it should. When that does not help Kafka itself has moved on: #position finds out why.
   */
  #fresh({ generation, partition, entries }: Fetched, now: number): PartitionBatch[] {
    const next = this.#next.get(partition);
    if (generation !== now || next === undefined) return [];
    const rest = entries.filter(({ offset }) => offset >= next);
    if (rest.length === 0) return [];
    if (rest[0]!.offset === next) {
      this.#misplaced.delete(partition);
      return [{ partition, entries: rest }];
    }
    const misplaced = (this.#misplaced.get(partition) ?? 0) + 1;
    this.#misplaced.set(partition, misplaced);
    if (misplaced < limits.maxKafkaMisplacedFetches) return [];
    throw new ChappeError("UNAVAILABLE", `partition ${partition}: ${rest[0]!.offset} came instead of ${next}`);
  }

  async #recover(generation: number, error: unknown): Promise<void> {
    if (generation !== this.#generation || this.#closed) return;
    this.#options.report("records-rejected", { error });
    const partitions = this.#owned;
    const again = this.#end();
    await this.#revoke();
    await sleep(limits.kafkaRetryMs);
    await this.#begin(again, partitions);
  }

  async #sendCommits(): Promise<void> {
    const offsets = new Map(this.#commits);
    this.#commits.clear();
    if (offsets.size === 0) return;
    // A hint: the next one says more.
    await this.#member.commit(offsets).catch((error: unknown) => this.#options.report("commit-failed", { error }));
  }

  #fail(error: ChappeError): void {
    this.#options.report("reader-stopped", { error });
    this.#end();
    this.#began.reject(error);
    this.#options.onFailed(error);
  }
}

const corrupt = (text: string): ChappeError => new ChappeError("CORRUPT", `${text}: nothing is skipped`);

/** Batches of at most limits.maxLogBatchRecords in all. */
function* cutBatches(batches: readonly PartitionBatch[]): Generator<readonly PartitionBatch[]> {
  let some: PartitionBatch[] = [];
  let room: number = limits.maxLogBatchRecords;
  for (const { partition, entries } of batches) {
    for (let at = 0; at < entries.length; ) {
      const part = entries.slice(at, at + room);
      some.push({ partition, entries: part });
      at += part.length;
      room -= part.length;
      if (room > 0) continue;
      yield some;
      some = [];
      room = limits.maxLogBatchRecords;
    }
  }
  if (some.length > 0) yield some;
}
