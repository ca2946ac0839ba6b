import type { Topic } from "../../ports/log.ts";

/** Topics by their number in the journal. Append only: the place is the number on disk. */
export const topics: readonly Topic[] = ["messages", "push", "changes", "dead-letter"];

/** State record of the journal: offsets of some groups and, at the start of a segment, the ends of all partitions. */
export interface StateRecord {
  /** First free offset of every partition, topic after topic. */
  readonly ends?: readonly number[];
  /** Topic number, group name, committed offset of each partition. */
  readonly groups: readonly (readonly [topic: number, group: string, offsets: readonly number[]])[];
}

/** The groups of every topic and how far each has committed. */
export class CommittedOffsets {
  readonly #partitions: number;
  readonly #groups: readonly Map<string, Float64Array>[] = topics.map(() => new Map());
  readonly #dirty = new Set<Float64Array>();

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Whether something is not in the journal yet. */
  get dirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Makes the group known: from now on its uncommitted records are kept. */
  know(topic: number, group: string): void {
    if (this.#groups[topic]!.has(group)) return;
    this.#dirty.add(this.#offsets(topic, group));
  }

  /** Committed offset of the group, 0 when it has none. */
  get(topic: number, group: string, partition: number): number {
    return this.#groups[topic]!.get(group)?.[partition] ?? 0;
  }

  /** Moves the group's offset forward; a smaller one changes nothing. */
  commit(topic: number, group: string, partition: number, offset: number): void {
    const offsets = this.#offsets(topic, group);
    if (!(offset > offsets[partition]!)) return;
    offsets[partition] = offset;
    this.#dirty.add(offsets);
  }

  /** Whether every known group of every topic has committed all records before `ends`. */
  allPast(ends: Float64Array): boolean {
    return this.#groups.every((groups, topic) =>
      [...groups.values()].every((offsets) =>
        offsets.every((offset, partition) => offset >= ends[topic * this.#partitions + partition]!),
      ),
    );
  }

  /** What is not in the journal yet, as a state record; afterwards it counts as written. */
  takeDirty(): Uint8Array {
    const record = this.#record((offsets) => this.#dirty.has(offsets));
    this.#dirty.clear();
    return Buffer.from(JSON.stringify(record));
  }

  /** All groups and `ends` as a state record; afterwards everything counts as written. */
  snapshot(ends: Float64Array): Uint8Array {
    this.#dirty.clear();
    return Buffer.from(JSON.stringify({ ends: [...ends], ...this.#record(() => true) }));
  }

  /** Counts everything as unwritten, after a write that failed. */
  markAllDirty(): void {
    for (const groups of this.#groups) for (const offsets of groups.values()) this.#dirty.add(offsets);
  }

  /** Takes over what a state record of the journal says. */
  apply(record: StateRecord): void {
    for (const [topic, group, offsets] of record.groups) this.#offsets(topic, group).set(offsets);
  }

  #record(wanted: (offsets: Float64Array) => boolean): StateRecord {
    const groups = this.#groups.flatMap((byName, topic) =>
      [...byName]
        .filter(([, offsets]) => wanted(offsets))
        .map(([name, offsets]) => [topic, name, [...offsets]] as const),
    );
    return { groups };
  }

  #offsets(topic: number, group: string): Float64Array {
    let offsets = this.#groups[topic]!.get(group);
    if (offsets === undefined) {
      offsets = new Float64Array(this.#partitions);
      this.#groups[topic]!.set(group, offsets);
    }
    return offsets;
  }
}
