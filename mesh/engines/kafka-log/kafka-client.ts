import type { LogEntry } from "../../ports/log.ts";

/** Records of one partition for one produce. */
export interface ProduceBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly Uint8Array[];
}

/** Where a batch is on the log. */
export interface Produced {
  readonly topic: string;
  readonly partition: number;
  readonly baseOffset: number;
  /** LogAppendTime, Unix milliseconds. */
  readonly timeMs: number;
}

/** What a partition holds: from the oldest kept record to the one after the newest. */
export interface PartitionEnds {
  readonly low: number;
  readonly high: number;
}

/** By partition. */
export type TopicEnds = ReadonlyMap<number, PartitionEnds>;

/** A topic to make. */
export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly copies: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** Records of one partition as one fetch brought them; consecutive. */
export interface Fetch {
  readonly partition: number;
  readonly entries: readonly LogEntry[];
  /** The partition's end then. */
  readonly high: number;
}

/** What a member of a group tells its reader. */
export interface MemberEvents {
  /** The group has given these partitions to this member; nothing is fetched of one before `seek` says from where. */
  onAssigned(partitions: readonly number[]): void;
  /** The group is being dealt out anew, or this member is out of it. */
  onLost(): void;
  /** Hands one fetch over; answers the last offset that was handed on, undefined = it goes on where it did. */
  onFetch(fetch: Fetch): Promise<number | undefined>;
  /** A partition does not hold the offset that was asked for. */
  onOutOfRange(error: Error): void;
  /** The member has failed; it starts again by itself if `restarts`. */
  onCrash(error: Error, restarts: boolean): void;
}

/** One member of a consumer group. */
export interface GroupMember {
  /** Settles when it has begun to join. */
  start(): Promise<void>;
  /** The next fetch of the partition begins there. */
  seek(partition: number, offset: number): void;
  commit(offsets: ReadonlyMap<number, number>): Promise<void>;
  /** Leaves the group. Idempotent. */
  close(): Promise<void>;
}

/**
 * What lanes and readers need of a Kafka client library; they hold all that must be right about order, repetition and
 * positions, so a library is only asked for single attempts.
 */
export interface KafkaClient {
  /** Rejects when no broker answers. */
  connect(): Promise<void>;
  brokerCount(): Promise<number>;
  topicNames(): Promise<ReadonlySet<string>>;
  /** May settle before every broker knows them; rejects for one that is there. */
  createTopics(topics: readonly NewTopic[]): Promise<void>;
  /** Number of partitions, undefined while some of them has no leader or the brokers do not know the topic. */
  partitionCount(topic: string): Promise<number | undefined>;
  topicConfig(topic: string, name: string): Promise<string | undefined>;
  /** One attempt with acks=all; rejects when any batch may not have been taken. */
  produce(batches: readonly ProduceBatch[]): Promise<readonly Produced[]>;
  /** Waits for leaders that move. */
  ends(topic: string): Promise<TopicEnds>;
  /** Committed offsets of the group, those that there are. */
  committed(groupId: string, topic: string): Promise<ReadonlyMap<number, number>>;
  createMember(groupId: string, topic: string, partitions: number, events: MemberEvents): GroupMember;
  close(): Promise<void>;
}
