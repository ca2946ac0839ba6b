import { join } from "node:path";

/** First free offset of every partition, topic after topic, at a place of the journal. */
export interface Checkpoint {
  readonly position: number;
  readonly ends: Float64Array;
}

/** Name of the segment file that starts at `base`. */
const segmentName = (base: number): string => `${String(base).padStart(16, "0")}.journal`;

/** Start position of a segment file; undefined for another file. */
export function baseOfName(name: string): number | undefined {
  return /^\d{16}\.journal$/.test(name) ? Number(name.slice(0, 16)) : undefined;
}

/** One file of the journal and its sparse index. */
export class Segment {
  /** Journal position of the file's first byte. */
  readonly base: number;
  readonly path: string;
  /** Length of the whole groups in the file. */
  lengthBytes = 0;
  /** Newest time in the segment, Unix milliseconds. */
  lastTimeMs = 0;
  /** In rising order; the first is at `base`. */
  readonly checkpoints: Checkpoint[];

  constructor(directory: string, base: number, checkpoints: Checkpoint[] = []) {
    this.base = base;
    this.path = join(directory, segmentName(base));
    this.checkpoints = checkpoints;
  }

  get end(): number {
    return this.base + this.lengthBytes;
  }

  get indexPath(): string {
    return this.path.replace(/journal$/, "idx");
  }

  /** Takes note of the next group; `ends` are those before it. */
  note(lengthBytes: number, timeMs: number, ends: Float64Array, intervalBytes: number): void {
    const last = this.checkpoints.at(-1);
    if (last === undefined || this.end - last.position >= intervalBytes) {
      this.checkpoints.push({ position: this.end, ends: ends.slice() });
    }
    this.lengthBytes += lengthBytes;
    this.lastTimeMs = Math.max(this.lastTimeMs, timeMs);
  }
}

/** Index of the last item for which `holds`, when it holds for a first part of the list; -1 for none. */
function lastWhere<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The segment that holds the journal position; undefined when it is older than the oldest kept. */
export function segmentAt(segments: readonly Segment[], position: number): Segment | undefined {
  return segments[lastWhere(segments, (segment) => segment.base <= position)];
}

/**
 * A journal position from which a walk forward meets every wanted record; undefined when one is older than the oldest
 * kept. `wanted` maps stream (topic number * partitions + partition) to offset.
 */
export function locate(segments: readonly Segment[], wanted: ReadonlyMap<number, number>): number | undefined {
  const before = ({ ends }: Checkpoint): boolean => {
    for (const [stream, offset] of wanted) if (ends[stream]! > offset) return false;
    return true;
  };
  const segment = segments[lastWhere(segments, ({ checkpoints }) => before(checkpoints[0]!))];
  return segment?.checkpoints[lastWhere(segment.checkpoints, before)]?.position;
}
