import { uuidV7TimeMs } from "@chappe/mesh/ids/uuid-v7.ts";

const bucketMs = 60_000;
const slabBits = 1 << 21;
const slabCapacity = 200_000;
const maxSlabsPerBucket = 8;
const hashes = 4;

/** Bloom slabs for the ids of one minute. */
interface Bucket {
  readonly slabs: Uint32Array[];
  count: number;
}

/** Options of createIdFilter. */
export interface IdFilterOptions {
  /** Minutes of id time that are remembered; older ids are always "maybe". @default 30 */
  readonly minutes?: number;
}

/**
 * Remembers the client message ids of the last minutes of id time, so that most sends need no look-up in the store.
 * Answers "maybe" for anything it cannot rule out: false only when the id was certainly never added.
 */
export interface IdFilter {
  /** Forgets everything; ids from `completeSinceMs` on are then known as they are added. */
  reset(completeSinceMs: number): void;
  add(id: Uint8Array): void;
  mayContain(id: Uint8Array): boolean;
}

/** An empty filter that answers "maybe" for every id until reset is called. */
export function createIdFilter(options: IdFilterOptions = {}): IdFilter {
  const maxBuckets = options.minutes ?? 30;
  const buckets = new Map<number, Bucket>();
  let firstCompleteBucket = Number.POSITIVE_INFINITY;

  const dropOldest = (): void => {
    let oldest = Number.POSITIVE_INFINITY;
    for (const key of buckets.keys()) oldest = Math.min(oldest, key);
    buckets.delete(oldest);
    firstCompleteBucket = Math.max(firstCompleteBucket, oldest + 1);
  };

  const bucketFor = (key: number): Bucket => {
    let bucket = buckets.get(key);
    if (bucket === undefined) {
      bucket = { slabs: [new Uint32Array(slabBits / 32)], count: 0 };
      buckets.set(key, bucket);
      if (buckets.size > maxBuckets) dropOldest();
    }
    return bucket;
  };

  return {
    reset(completeSinceMs) {
      buckets.clear();
      firstCompleteBucket = Math.ceil(completeSinceMs / bucketMs);
    },
    add(id) {
      const key = Math.floor(uuidV7TimeMs(id) / bucketMs);
      if (key < firstCompleteBucket) return;
      const bucket = bucketFor(key);
      bucket.count++;
      const wanted = Math.min(maxSlabsPerBucket, Math.ceil(bucket.count / slabCapacity));
      if (bucket.slabs.length < wanted) bucket.slabs.push(new Uint32Array(slabBits / 32));
      setBits(bucket.slabs[bucket.slabs.length - 1]!, id);
    },
    mayContain(id) {
      const key = Math.floor(uuidV7TimeMs(id) / bucketMs);
      if (key < firstCompleteBucket) return true;
      const slabs = buckets.get(key)?.slabs;
      return slabs?.some((slab) => hasBits(slab, id)) ?? false;
    },
  };
}

const word = (id: Uint8Array, at: number): number =>
  (id[at]! | (id[at + 1]! << 8) | (id[at + 2]! << 16) | (id[at + 3]! << 24)) >>> 0;

/** Bit number `index` of an id by double hashing; the low 10 bytes of a UUIDv7 are random. */
function bitOf(id: Uint8Array, index: number): number {
  const first = (word(id, 12) ^ word(id, 4)) >>> 0;
  return ((first + index * (word(id, 8) | 1)) >>> 0) % slabBits;
}

function setBits(slab: Uint32Array, id: Uint8Array): void {
  for (let index = 0; index < hashes; index++) {
    const bit = bitOf(id, index);
    slab[bit >>> 5] = slab[bit >>> 5]! | (1 << (bit & 31));
  }
}

function hasBits(slab: Uint32Array, id: Uint8Array): boolean {
  for (let index = 0; index < hashes; index++) {
    const bit = bitOf(id, index);
    if ((slab[bit >>> 5]! & (1 << (bit & 31))) === 0) return false;
  }
  return true;
}
