import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log, LogConsumer, LogEntry, PartitionBatch, Topic } from "@chappe/mesh/ports/log.ts";

/** A fresh directory and how to remove it. */
export async function tempDirectory(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "chappe-log-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A payload that names itself, `lengthBytes` long when that is more. */
export function payloadOf(text: string, lengthBytes = 0): Uint8Array {
  const bytes = new Uint8Array(Math.max(lengthBytes, Buffer.byteLength(text)));
  bytes.fill(0x2e);
  bytes.set(Buffer.from(text));
  return bytes;
}

/** The text of a payload made by payloadOf without a length. */
export const textOf = (entry: LogEntry): string => Buffer.from(entry.payload).toString("utf8");

/** A consumer that remembers what it was called with, in order, and notices calls that overlap. */
export class TestConsumer implements LogConsumer {
  readonly calls: ("assigned" | "records" | "revoked")[] = [];
  /** Everything handed over, by partition, repetitions included. */
  readonly seen = new Map<number, LogEntry[]>();
  readonly owned = new Set<number>();
  readonly batchSizes: number[] = [];
  overlaps = 0;
  /** Start offsets to answer with. */
  starts: ReadonlyMap<number, number> = new Map();
  /** Runs before a batch counts as seen; may reject. */
  onRecords: (batches: readonly PartitionBatch[]) => Promise<void> = async () => {};
  /** Runs before partitions count as given up. */
  onRevoked: () => Promise<void> = async () => {};
  #inCall = false;
  #changed: (() => void)[] = [];

  assigned(partitions: readonly number[]): Promise<ReadonlyMap<number, number>> {
    return this.#call("assigned", async () => {
      for (const partition of partitions) this.owned.add(partition);
      return this.starts;
    });
  }

  records(batches: readonly PartitionBatch[]): Promise<void> {
    return this.#call("records", async () => {
      await this.onRecords(batches);
      this.batchSizes.push(batches.reduce((sum, { entries }) => sum + entries.length, 0));
      for (const { partition, entries } of batches) {
        this.seen.set(partition, [...(this.seen.get(partition) ?? []), ...entries]);
      }
    });
  }

  revoked(partitions: readonly number[]): Promise<void> {
    return this.#call("revoked", async () => {
      await this.onRevoked();
      for (const partition of partitions) this.owned.delete(partition);
    });
  }

  /** What was handed over of one partition, as texts. */
  texts(partition: number): string[] {
    return (this.seen.get(partition) ?? []).map(textOf);
  }

  /** Number of records handed over. */
  get count(): number {
    return [...this.seen.values()].reduce((sum, entries) => sum + entries.length, 0);
  }

  /** Settles when `holds`, looked at after every call. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  async #call<T>(name: "assigned" | "records" | "revoked", run: () => Promise<T>): Promise<T> {
    if (this.#inCall) this.overlaps++;
    this.#inCall = true;
    this.calls.push(name);
    try {
      return await run();
    } finally {
      this.#inCall = false;
      for (const wake of this.#changed.splice(0)) wake();
    }
  }
}

/** Many turns of the event loop, through its timers and the thread pool: what was about to happen has happened. */
export async function manyTurns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Appends the texts to one partition, all at once; answers the offsets. */
export async function appendTexts(log: Log, topic: Topic, partition: number, texts: readonly string[]) {
  const appended = await Promise.all(texts.map((text) => log.append(topic, partition, payloadOf(text))));
  return appended.map(({ offset }) => offset);
}

/** `count` texts with a common start. */
export const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Reads a whole topic with a group of its own. */
export async function readAll(log: Log, topic: Topic, group = `reader-${Math.random()}`): Promise<TestConsumer> {
  const consumer = new TestConsumer();
  let total = 0;
  for (let partition = 0; partition < log.partitions; partition++) total += await log.end(topic, partition);
  // A fresh group's committed offsets are 0, so this needs a log from which nothing was deleted.
  const subscription = await log.subscribe(topic, group, consumer);
  await consumer.until(() => consumer.count >= total);
  await subscription.close();
  return consumer;
}
