import { Hop } from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createWindowGuard, type WindowGuard, type WindowStats } from "@chappe/mesh/hot-window/window-guard.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { HotWindow } from "@chappe/mesh/ports/hot-window.ts";
import type { Log, LogConsumer, LogSubscription, PartitionBatch } from "@chappe/mesh/ports/log.ts";
import type { MessageStore, SendKey, SendRow, StoreCommit } from "@chappe/mesh/ports/message-store.ts";
import { engineCalls } from "@chappe/mesh/telemetry/engine-calls.ts";
import { type Hops, noHops } from "@chappe/mesh/telemetry/hops.ts";
import { type Committer, createCommitter } from "./committer.ts";
import type { LogPlace } from "./dead-letters.ts";
import { createIdFilter } from "./id-filter.ts";
import { readRecord } from "./read-record.ts";
import { createReplayGate, type ReplayGate } from "./replay-gate.ts";
import { createSequencer, type PartitionInput, type RecordInput, type Sequencer, sendKeyOf } from "./sequencer.ts";

/** What createMsgWriter needs. */
export interface MsgWriterOptions {
  readonly log: Log;
  readonly store: MessageStore;
  /** Given what is committed, when there is one; its failures cost nothing but reads of the store. */
  readonly window?: HotWindow | undefined;
  readonly logger: Logger;
  /** @default limits.commitIntervalMs */
  readonly commitIntervalMs?: number;
  /** @default Date.now */
  readonly now?: () => number;
  /** Told of the messages that pass. @default nobody */
  readonly hops?: Hops;
}

/** Figures of a running writer. */
export interface MsgWriterStats {
  readonly committedMessages: number;
  readonly duplicates: number;
  readonly storeLookups: number;
  readonly lag: number;
  /** undefined without a hot window. */
  readonly window: WindowStats | undefined;
  /** Messages whose body could not be read: placeholders. */
  readonly unreadable: number;
  /** Partitions stopped by a damaged envelope, and where; an operator must look. */
  readonly stopped: readonly LogPlace[];
}

/** Owns partitions of the message log: gives each message its seq and commits it. */
export interface MsgWriter {
  /**
   * Settles when all that was durable at the start is committed. Until then reads may show less than clients have
   * seen before a crash, so nothing is served.
   */
  readonly replayed: Promise<void>;
  stats(): MsgWriterStats;
  close(): Promise<void>;
}

interface Ownership {
  readonly epoch: number;
  nextOffset: number;
}

/** How far back in id time the duplicate filter is filled at start. */
const filterSpanMs = 20 * 60_000;
const uuidBytes = 16;

class Writer implements LogConsumer, MsgWriter {
  readonly #options: MsgWriterOptions;
  readonly #hops: Hops;
  readonly #sequencer: Sequencer;
  readonly #filter = createIdFilter();
  readonly #owned = new Map<number, Ownership>();
  /** Offset of the record that stops it, by partition. */
  readonly #stopped = new Map<number, number>();
  readonly replayed: Promise<void>;
  readonly #gate: ReplayGate;
  readonly #window: WindowGuard | undefined;
  #committer: Committer;
  #committed: SendRow[][] = [];
  #subscription: LogSubscription | undefined;
  #committedMessages = 0;
  #duplicates = 0;
  #storeLookups = 0;
  #unreadable = 0;

  constructor(options: MsgWriterOptions, gate: ReplayGate) {
    this.#options = options;
    this.#hops = options.hops ?? noHops;
    this.#sequencer = createSequencer(this.#hops);
    this.#gate = gate;
    this.replayed = gate.opened;
    this.#window = options.window === undefined ? undefined : createWindowGuard(options.window, { hops: this.#hops });
    this.#committer = this.#newCommitter();
  }

  async start(): Promise<void> {
    this.#subscription = await this.#options.log.subscribe("messages", "msg-writer", this);
  }

  async assigned(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    await this.#abandon();
    const { store, now = Date.now } = this.#options;
    const claims = await store.claim(partitions);
    await this.#fillFilter(now() - filterSpanMs);
    for (const [partition, claim] of claims) {
      this.#owned.set(partition, { ...claim });
      this.#gate.reached(partition, claim.nextOffset);
    }
    return new Map([...claims].map(([partition, claim]) => [partition, claim.nextOffset]));
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    await this.#abandon();
    for (const partition of partitions) {
      this.#owned.delete(partition);
      this.#stopped.delete(partition);
    }
  }

  async records(batches: readonly PartitionBatch[]): Promise<void> {
    await this.#committer.room();
    for (const rows of this.#committed.splice(0)) this.#sequencer.forgetPending(rows);
    const startMs = this.#hops.now();
    const inputs = batches.flatMap((batch) => this.#decode(batch) ?? []);
    if (inputs.length === 0) return;
    const known = await this.#lookUp(inputs);
    const loaded = await this.#loadHeads(inputs);
    if (loaded || known.size > 0) await this.#assertOwned(inputs);
    const step = this.#sequencer.sequence(inputs, known);
    for (const row of step.commit.sends) this.#filter.add(row.clientMessageId);
    this.#hops.sequenced(step.commit.sends, startMs);
    for (const { partition, nextOffset } of inputs) this.#owned.get(partition)!.nextOffset = nextOffset;
    this.#unreadable += step.deadLetters.length;
    this.#committer.submit(step);
  }

  stats(): MsgWriterStats {
    return {
      committedMessages: this.#committedMessages,
      duplicates: this.#duplicates,
      storeLookups: this.#storeLookups,
      lag: this.#subscription?.lag() ?? 0,
      window: this.#window?.stats(),
      unreadable: this.#unreadable,
      stopped: [...this.#stopped].map(([partition, offset]) => ({ partition, offset })),
    };
  }

  async close(): Promise<void> {
    await this.#subscription?.close();
    await this.#committer.settled(false);
  }

  #newCommitter(): Committer {
    const { log, store, logger, commitIntervalMs = limits.commitIntervalMs } = this.#options;
    return createCommitter({
      log,
      store,
      window: this.#window,
      commitIntervalMs,
      maxMessagesInFlight: limits.maxWriterMessagesInFlight,
      onCommitted: (commit, startMs) => this.#onCommitted(commit, startMs),
      hops: this.#hops,
      within: logger.within,
      onRetry: (what, error) => logger.warn("msg-writer.retry", { what, error: error.row.name }),
    });
  }

  #onCommitted(commit: StoreCommit, startMs: number): void {
    this.#hops.passed(Hop.COMMIT, commit.runs, startMs);
    this.#committedMessages += commit.sends.length;
    // Kept until the next call of records: a look-up begun before the commit must still find them here.
    this.#committed.push([...commit.sends]);
    for (const { partition, nextOffset } of commit.progress) this.#gate.reached(partition, nextOffset);
    this.#subscription?.commit(new Map(commit.progress.map(({ partition, nextOffset }) => [partition, nextOffset])));
  }

  async #abandon(): Promise<void> {
    await this.#committer.settled(true);
    this.#committed = [];
    this.#sequencer.reset();
    this.#committer = this.#newCommitter();
  }

  async #fillFilter(sinceMs: number): Promise<void> {
    this.#filter.reset(sinceMs);
    for await (const page of this.#options.store.sendIdsSince(sinceMs))
      for (let at = 0; at < page.length; at += uuidBytes) this.#filter.add(page.subarray(at, at + uuidBytes));
  }

  /** Undefined when the partition is stopped: a record whose envelope is damaged is never skipped. */
  #decode({ partition, entries }: PartitionBatch): PartitionInput | undefined {
    const owned = this.#owned.get(partition);
    if (owned === undefined || this.#stopped.has(partition)) return undefined;
    const records: RecordInput[] = [];
    for (const entry of entries) {
      if (entry.offset !== owned.nextOffset + records.length) {
        throw new ChappeError("INTERNAL", `partition ${partition}: offset ${entry.offset} is not the next one`);
      }
      try {
        records.push({ loggedTimeMs: entry.timeMs, entries: readRecord(entry.payload) });
      } catch (error) {
        this.#stopped.set(partition, entry.offset);
        this.#gate.skip(partition);
        this.#options.logger.error("msg-writer.stopped", { partition, offset: entry.offset, error });
        break;
      }
    }
    if (records.length === 0) return undefined;
    const fromOffset = owned.nextOffset;
    return { partition, epoch: owned.epoch, fromOffset, nextOffset: fromOffset + records.length, records };
  }

  async #lookUp(inputs: readonly PartitionInput[]): Promise<ReadonlyMap<string, SendRow>> {
    const keys: SendKey[] = [];
    for (const input of inputs) {
      for (const record of input.records) {
        for (const entry of record.entries) if (this.#filter.mayContain(entry.clientMessageId)) keys.push(entry);
      }
    }
    const known = new Map<string, SendRow>();
    if (keys.length === 0) return known;
    this.#storeLookups += keys.length;
    const startMs = this.#hops.now();
    const rows = await this.#options.store.findSends(keys);
    this.#hops.calledFor(engineCalls.selectSends, entriesOf(inputs), startMs);
    for (const row of rows) {
      if (row !== undefined) known.set(sendKeyOf(row), row);
    }
    this.#duplicates += known.size;
    return known;
  }

  /**
   * What was just read from the store is of our own making only while nobody has claimed since: an owner that stood still
   * would count the messages of its successor, and push seqs that the commit then refuses. STALE_OWNER.
   */
  async #assertOwned(inputs: readonly PartitionInput[]): Promise<void> {
    const progress = await this.#options.store.progress(inputs.map(({ partition }) => partition));
    for (const { partition, epoch } of inputs)
      if (progress.get(partition)?.epoch !== epoch) throw new ChappeError("STALE_OWNER");
  }

  /** Whether heads came from the store. */
  async #loadHeads(inputs: readonly PartitionInput[]): Promise<boolean> {
    if (this.#sequencer.heads > limits.maxWriterHeads) {
      await this.#committer.settled(false);
      this.#sequencer.clearHeads();
    }
    const missing = this.#sequencer.missingHeads(inputs);
    if (missing.length === 0) return false;
    const startMs = this.#hops.now();
    const heads = await this.#options.store.heads(missing);
    this.#hops.calledFor(engineCalls.selectHeads, entriesOf(inputs), startMs);
    for (const [index, conversationId] of missing.entries()) this.#sequencer.setHead(conversationId, heads[index]!);
    return true;
  }
}

const entriesOf = (inputs: readonly PartitionInput[]) =>
  inputs.flatMap(({ records }) => records.flatMap(({ entries }) => entries));

/** Starts a writer on the log. */
export async function createMsgWriter(options: MsgWriterOptions): Promise<MsgWriter> {
  const { log } = options;
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  const ends = await Promise.all(partitions.map(async (p) => [p, await log.end("messages", p)] as const));
  const writer = new Writer(options, createReplayGate(new Map(ends)));
  await writer.start();
  return writer;
}
