import { ChappeError } from "../../errors/chappe-error.ts";
import type { Journal } from "./journal.ts";
import type { JournalFile } from "./journal-files.ts";
import { bodyIsIntact, type Group, groupHeaderBytes, readGroupHeader } from "./record-format.ts";
import { corruptAt } from "./scan-segment.ts";
import { type Segment, segmentAt } from "./segment.ts";

/** Walks the durable groups of the journal in order: from memory near the end, from the files before that. */
export class JournalReader {
  readonly #journal: Journal;
  readonly #chunkBytes: number;
  #position = 0;
  #file: { readonly base: number; readonly file: JournalFile } | undefined;
  #chunk: { readonly position: number; readonly bytes: Uint8Array } = { position: 0, bytes: new Uint8Array(0) };

  constructor(journal: Journal, chunkBytes: number) {
    this.#journal = journal;
    this.#chunkBytes = chunkBytes;
  }

  /** Goes to the start of a group, or to the end of the journal. */
  seek(position: number): void {
    this.#position = position;
  }

  /** The next durable group; undefined at the end. Answers at once when the group is in memory. */
  next(): Group | undefined | Promise<Group> {
    if (this.#position >= this.#journal.durable) return undefined;
    const group = this.#journal.ring.at(this.#position);
    if (group === undefined) return this.#fromFile();
    if (this.#file !== undefined) void this.close();
    this.#position += group.bytes.byteLength;
    return group;
  }

  /** Lets go of the open file; a failure to close a file that was only read harms nothing. */
  async close(): Promise<void> {
    const open = this.#file;
    this.#file = undefined;
    this.#chunk = { position: 0, bytes: new Uint8Array(0) };
    await open?.file.close().catch(() => undefined);
  }

  async #fromFile(): Promise<Group> {
    const oldest = this.#journal.segments[0]!;
    // Retention deletes only what the group has committed past, so nothing wanted lies before the oldest segment.
    if (this.#position < oldest.base) this.#position = oldest.base;
    const position = this.#position;
    const segment = segmentAt(this.#journal.segments, position)!;
    await this.#hold(segment, position, groupHeaderBytes);
    const header = readGroupHeader(this.#chunk.bytes, position - this.#chunk.position, position, this.#journal.salt);
    if (header === undefined) throw corruptAt(segment.path, position - segment.base, "damaged group header");
    const lengthBytes = groupHeaderBytes + header.bodyBytes;
    await this.#hold(segment, position, lengthBytes);
    const at = position - this.#chunk.position;
    if (!bodyIsIntact(this.#chunk.bytes, at, header)) {
      throw corruptAt(segment.path, position - segment.base, "damaged group");
    }
    this.#position += lengthBytes;
    return { position, timeMs: header.timeMs, bytes: this.#chunk.bytes.subarray(at, at + lengthBytes) };
  }

  /** Makes the chunk hold `lengthBytes` from `position`, reading ahead, but never what is not durable yet. */
  async #hold(segment: Segment, position: number, lengthBytes: number): Promise<void> {
    const chunk = this.#chunk;
    if (position >= chunk.position && position + lengthBytes <= chunk.position + chunk.bytes.byteLength) return;
    const end = Math.min(segment.end, this.#journal.durable);
    const bytes = new Uint8Array(Math.max(0, Math.min(Math.max(this.#chunkBytes, lengthBytes), end - position)));
    const file = await this.#open(segment);
    const count = await file.read(bytes, position - segment.base);
    this.#chunk = { position, bytes: bytes.subarray(0, count) };
  }

  async #open(segment: Segment): Promise<JournalFile> {
    if (this.#file?.base === segment.base) return this.#file.file;
    await this.close();
    try {
      const file = await this.#journal.files.open(segment.path, "read");
      this.#file = { base: segment.base, file };
      return file;
    } catch (error) {
      throw new ChappeError("CORRUPT", `${segment.path} cannot be opened`, { cause: error });
    }
  }
}
