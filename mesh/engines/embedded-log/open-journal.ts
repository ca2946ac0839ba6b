import { dirname } from "node:path";
import { CommittedOffsets, topics } from "./committed-offsets.ts";
import type { Journal } from "./journal.ts";
import type { JournalFile } from "./journal-files.ts";
import { encodeGroup, type Group, stateKind } from "./record-format.ts";
import { corruptAt, type ScannedSegment, scanSegment } from "./scan-segment.ts";
import { baseOfName, Segment } from "./segment.ts";
import { decodeSegmentIndex, encodeSegmentIndex } from "./segment-index.ts";

type Place = Omit<Journal, "segments" | "ring" | "ends" | "committed" | "active" | "position" | "durable">;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

async function readIndex(place: Place, base: number): Promise<Segment | undefined> {
  const streams = topics.length * place.partitions;
  const path = new Segment(place.directory, base).indexPath;
  try {
    return decodeSegmentIndex(await place.files.readWhole(path), { directory: place.directory, base, streams });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function scan(place: Place, base: number, syncedTo: number): Promise<ScannedSegment> {
  const bytes = await place.files.readWhole(new Segment(place.directory, base).path);
  return scanSegment({ ...place, base, bytes, syncedTo });
}

/** A segment that was sealed: whole up to where the next one starts, from its index file or by reading it. */
async function sealedSegment(place: Place, base: number, nextBase: number): Promise<Segment> {
  const indexed = await readIndex(place, base);
  const { path } = new Segment(place.directory, base);
  const file = await place.files.open(path, "read");
  let sizeBytes: number;
  try {
    sizeBytes = await file.size();
  } finally {
    await file.close();
  }
  if (base + sizeBytes !== nextBase) {
    throw corruptAt(path, sizeBytes, `the file ends but the next segment starts at ${nextBase - base}`);
  }
  if (indexed !== undefined && indexed.end === nextBase) return indexed;
  const { segment } = await scan(place, base, nextBase);
  await place.files.replace(segment.indexPath, encodeSegmentIndex(segment), false);
  place.report({ kind: "index-rebuilt", path: segment.indexPath });
  return segment;
}

/** Creates the segment at `base`, whose first group holds the ends and all committed offsets, all on stable storage. */
export async function createSegment(
  place: Place,
  base: number,
  state: { readonly ends: Float64Array; readonly committed: CommittedOffsets },
): Promise<{ readonly segment: Segment; readonly file: JournalFile; readonly group: Group }> {
  const segment = new Segment(place.directory, base);
  const timeMs = place.now();
  const payload = state.committed.snapshot(state.ends);
  const group = encodeGroup({ position: base, syncedTo: base, timeMs, salt: place.salt }, [
    { kind: stateKind, partition: 0, offset: 0, payload },
  ]);
  let file: JournalFile | undefined;
  try {
    file = await place.files.open(segment.path, "create");
    await file.write(group.bytes, 0);
    await file.datasync();
    await place.files.syncDirectory(place.directory);
  } catch (error) {
    state.committed.markAllDirty();
    await file?.close();
    if (file !== undefined) await place.files.remove(segment.path);
    throw error;
  }
  segment.note(group.bytes.byteLength, timeMs, state.ends, place.indexIntervalBytes);
  return { segment, file, group };
}

/** The newest segment that has a whole group; newer files are the rest of a start of a segment and are removed. */
async function newestSegment(place: Place, bases: number[]): Promise<ScannedSegment | undefined> {
  let syncedTo = 0;
  for (let base = bases.pop(); base !== undefined; base = bases.pop()) {
    const scanned = await scan(place, base, syncedTo);
    if (scanned.segment.lengthBytes > 0) return scanned;
    // Older segments were deleted only after this one was whole; without it the offsets would start again at 0.
    if (bases.length === 0 && base > 0) throw corruptAt(scanned.segment.path, 0, "damage in the only segment");
    place.report({ kind: "torn-tail", path: scanned.segment.path, position: base, lengthBytes: scanned.tornBytes });
    await place.files.remove(scanned.segment.path);
    await place.files.syncDirectory(place.directory);
    // The file was created, so everything before it had been synced.
    syncedTo = base;
  }
  return undefined;
}

async function openNewest(place: Place, newest: ScannedSegment): Promise<JournalFile> {
  const { segment, tornBytes } = newest;
  const file = await place.files.open(segment.path, "write");
  if (tornBytes > 0) {
    place.report({ kind: "torn-tail", path: segment.path, position: segment.end, lengthBytes: tornBytes });
    await file.truncate(segment.lengthBytes);
  }
  // What a killed process left may be only in the page cache; it is about to be shown as durable.
  await file.datasync();
  await place.files.syncDirectory(place.directory);
  return file;
}

/** Opens the journal in its directory, or makes a new one. CORRUPT names file and byte of damage that is no torn tail. */
export async function openJournal(place: Place, ring: Journal["ring"]): Promise<Journal> {
  await place.files.syncDirectory(dirname(place.directory));
  const names = await place.files.list(place.directory);
  const bases = names.flatMap((name) => baseOfName(name) ?? []).sort((a, b) => a - b);
  const newest = await newestSegment(place, bases);
  if (newest === undefined) {
    const ends = new Float64Array(topics.length * place.partitions);
    const committed = new CommittedOffsets(place.partitions);
    const { segment, file } = await createSegment(place, 0, { ends, committed });
    const position = segment.end;
    return { ...place, segments: [segment], ring, ends, committed, active: file, position, durable: position };
  }
  const segments: Segment[] = [];
  for (const [i, base] of bases.entries()) {
    segments.push(await sealedSegment(place, base, bases[i + 1] ?? newest.segment.base));
  }
  segments.push(newest.segment);
  const active = await openNewest(place, newest);
  const { ends, committed, segment } = newest;
  return { ...place, segments, ring, ends, committed, active, position: segment.end, durable: segment.end };
}
