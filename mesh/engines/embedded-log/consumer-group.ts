import type { CommittedOffsets } from "./committed-offsets.ts";
import type { GroupMember } from "./group-member.ts";
import type { Journal } from "./journal.ts";
import { shareOut } from "./share-out.ts";

/** The members of one group of one topic, and which of them owns which partition; without a name, a reader alone. */
export class ConsumerGroup {
  readonly #journal: Journal;
  readonly #topic: number;
  readonly #name: string | undefined;
  readonly #onCommit: () => void;
  readonly #owners: (GroupMember | undefined)[];
  #members: GroupMember[] = [];

  constructor(journal: Journal, topic: number, name: string | undefined, onCommit: () => void) {
    this.#journal = journal;
    this.#topic = topic;
    this.#name = name;
    this.#onCommit = onCommit;
    this.#owners = new Array<GroupMember | undefined>(journal.partitions).fill(undefined);
    if (name === undefined) return;
    this.#offsets.know(topic, name);
    onCommit();
  }

  get members(): readonly GroupMember[] {
    return this.#members;
  }

  /** Adds a member and shares the partitions again. */
  join(member: GroupMember): void {
    this.#members.push(member);
    this.#share();
  }

  /** Removes a member; its partitions are free once it has released them. */
  leave(member: GroupMember): void {
    this.#members = this.#members.filter((other) => other !== member);
    this.#share();
  }

  /** Makes the member the owner of its partitions that have none; answers those. */
  claim(member: GroupMember): number[] {
    const gained = member.target.filter((partition) => this.#owners[partition] === undefined);
    for (const partition of gained) this.#owners[partition] = member;
    return gained;
  }

  /** Frees partitions of the member. */
  release(member: GroupMember, partitions: readonly number[]): void {
    for (const partition of partitions) if (this.#owners[partition] === member) this.#owners[partition] = undefined;
    for (const other of this.#members) if (other !== member) other.wake();
  }

  wakeAll(): void {
    for (const member of this.#members) member.wake();
  }

  /** Moves the group's offset forward; what is not on the log yet is not taken. */
  commit(partition: number, offset: number): void {
    if (this.#name === undefined || !Number.isSafeInteger(offset) || offset > this.end(partition)) return;
    this.#offsets.commit(this.#topic, this.#name, partition, offset);
    this.#onCommit();
  }

  committed(partition: number): number {
    return this.#name === undefined ? 0 : this.#offsets.get(this.#topic, this.#name, partition);
  }

  /** Where a member that was to start there does: a reader alone takes what is still kept. */
  startOf(partition: number, offset: number): number {
    if (this.#name !== undefined) return offset;
    const oldest = this.#journal.segments[0]!.checkpoints[0]!.ends;
    return Math.max(offset, oldest[this.#topic * this.#journal.partitions + partition]!);
  }

  /** Offset after the last durable record. */
  end(partition: number): number {
    return this.#journal.ends[this.#topic * this.#journal.partitions + partition]!;
  }

  get #offsets(): CommittedOffsets {
    return this.#journal.committed;
  }

  #share(): void {
    const shares = shareOut(
      this.#journal.partitions,
      this.#members.map((member) => member.target),
    );
    this.#members.forEach((member, i) => {
      member.target = shares[i]!;
      member.wake();
    });
  }
}
