import type { CommittedOffsets } from "./committed-offsets.ts";
import type { JournalFile, JournalFiles } from "./journal-files.ts";
import type { Segment } from "./segment.ts";
import type { TailRing } from "./tail-ring.ts";

/** Something an operator should know; nothing durable was lost by any of them but `subscription-failed`. */
export type LogReport =
  /** Bytes after the last whole group were cut off at start: a write that a crash interrupted. */
  | { readonly kind: "torn-tail"; readonly path: string; readonly position: number; readonly lengthBytes: number }
  /** A missing or damaged index file was made again from its segment. */
  | { readonly kind: "index-rebuilt"; readonly path: string }
  /** An index file could not be written, or retention could not delete; it is tried again later. */
  | { readonly kind: "upkeep-failed"; readonly path: string; readonly error: unknown }
  /** Retention deleted a segment. */
  | { readonly kind: "segment-deleted"; readonly path: string }
  /** A consumer rejected a call; its partitions are assigned again after a backoff. */
  | { readonly kind: "redelivery"; readonly topic: string; readonly group: string; readonly error: unknown }
  /** A subscription ended because the records it needs cannot be read. */
  | { readonly kind: "subscription-failed"; readonly topic: string; readonly group: string; readonly error: unknown };

/** The open journal: what writer, readers and retention share. Only the writer changes it. */
export interface Journal {
  readonly directory: string;
  readonly files: JournalFiles;
  readonly partitions: number;
  /** Seed of the group checksums, from the meta file. */
  readonly salt: number;
  readonly indexIntervalBytes: number;
  readonly now: () => number;
  readonly report: (report: LogReport) => void;
  /** Oldest first; the last one is being written. */
  readonly segments: Segment[];
  readonly ring: TailRing;
  /** First free offset of every partition, topic after topic, counting durable records only. */
  readonly ends: Float64Array;
  readonly committed: CommittedOffsets;
  /** The last segment's file. */
  active: JournalFile;
  /** Where the next group goes. */
  position: number;
  /** Everything before this position is on stable storage. */
  durable: number;
}
