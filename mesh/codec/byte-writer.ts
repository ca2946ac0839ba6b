import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";

/** Below this a loop copies faster than TypedArray.set. */
const shortCopyBytes = 24;

/** Bytes cut from Node's pool, not cleared: an ArrayBuffer of their own costs ten times as much as writing into them. */
function pooledBytes(length: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafe(length);
  return new Uint8Array(buffer, byteOffset, length);
}

/**
 * Writes protobuf fields into one growing buffer. The caller computes the size of what it is about to write
 * (wire-size.ts), calls `reserve` once, then writes without further checks. Zero values are left out, as proto3 does.
 */
export class ByteWriter {
  /** Bytes written since the last reset. */
  length = 0;
  private bytes: Uint8Array;
  private lazyView: DataView | undefined = undefined;

  /** @param capacityBytes room before the first growth. @default limits.writerStartBytes */
  constructor(capacityBytes: number = limits.writerStartBytes) {
    this.bytes = pooledBytes(capacityBytes);
  }

  /** Size of the buffer, in bytes. */
  get capacityBytes(): number {
    return this.bytes.length;
  }

  /** Makes room for `bytes` more bytes; views given before may no longer follow the buffer. */
  reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed > this.bytes.length) this.grow(needed);
  }

  /** Appends bytes as they are; makes its own room. */
  raw(chunk: Uint8Array): void {
    this.reserve(chunk.length);
    this.copy(chunk);
  }

  /** A varint of a safe integer >= 0. Needs reserved room, as do all methods below. */
  varint(value: number): void {
    const bytes = this.bytes;
    let at = this.length;
    let rest = value;
    while (rest > 0xffff_ffff) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** A uint32, uint64 or int64 field holding a safe integer >= 0. */
  numberField(tag: number, value: number): void {
    if (value === 0) return;
    this.bytes[this.length++] = tag;
    this.varint(value);
  }

  /** An enum field; a negative value takes ten bytes. */
  enumField(tag: number, value: number): void {
    if (value >= 0) {
      this.numberField(tag, value);
      return;
    }
    this.bytes[this.length++] = tag;
    let rest = value;
    for (let i = 0; i < 9; i++) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    this.bytes[this.length++] = 1;
  }

  /** A bool field. */
  boolField(tag: number, value: boolean): void {
    if (value) this.numberField(tag, 1);
  }

  /** A fixed32 field. */
  fixed32Field(tag: number, value: number): void {
    if (value === 0) return;
    this.bytes[this.length++] = tag;
    this.dataView.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A fixed64 field; `value` is taken modulo 2^64. */
  fixed64Field(tag: number, value: bigint): void {
    if (value === 0n) return;
    this.bytes[this.length++] = tag;
    this.fixed64(value);
  }

  /** Eight bytes, little-endian, without a tag: an item of a packed field. */
  fixed64(value: bigint): void {
    this.dataView.setBigUint64(this.length, value, true);
    this.length += 8;
  }

  /** A bytes field. */
  bytesField(tag: number, value: Uint8Array): void {
    if (value.length !== 0) this.delimited(tag, value);
  }

  /** Tag, length and bytes, also when they are empty. */
  delimited(tag: number, value: Uint8Array): void {
    this.head(tag, value.length);
    this.copy(value);
  }

  /** Tag and length of a submessage whose fields follow. */
  head(tag: number, length: number): void {
    this.bytes[this.length++] = tag;
    this.varint(length);
  }

  /** What was written from `start` on; valid until the next reset or growth. */
  view(start = 0): Uint8Array {
    return this.bytes.subarray(start, this.length);
  }

  /** A copy of what was written, of exact size; resets the writer. */
  finish(): Uint8Array {
    const copy = pooledBytes(this.length);
    copy.set(this.view());
    this.length = 0;
    return copy;
  }

  /** Forgets what was written; views given before will be overwritten. */
  reset(): void {
    this.length = 0;
  }

  private get dataView(): DataView {
    const { buffer, byteOffset, byteLength } = this.bytes;
    this.lazyView ??= new DataView(buffer, byteOffset, byteLength);
    return this.lazyView;
  }

  private copy(chunk: Uint8Array): void {
    const count = chunk.length;
    if (count < shortCopyBytes) {
      const bytes = this.bytes;
      const start = this.length;
      for (let i = 0; i < count; i++) bytes[start + i] = chunk[i]!;
    } else {
      this.bytes.set(chunk, this.length);
    }
    this.length += count;
  }

  private grow(needed: number): void {
    const larger = pooledBytes(Math.max(needed, this.bytes.length * 2));
    larger.set(this.view());
    this.bytes = larger;
    this.lazyView = undefined;
  }
}

/** Runs `write` on a writer of `size` bytes and answers what was written, without a copy. INTERNAL when it is more. */
export function encodeExact(size: number, write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(size);
  write(writer);
  // A typed array drops what is written beyond its end.
  if (writer.length > size) throw new ChappeError("INTERNAL", "an encoding is longer than its computed size");
  return writer.view();
}
