import type { ErrorName } from "@chappe/gen/errors.ts";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";

/** What every absent or empty bytes field decodes to. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

const maxVarintBytes = 10;
const maxTagBytes = 5;
/** High word of 2^53 - 1. */
const maxSafeHigh = 0x1f_ffff;

/**
 * Reads protobuf fields of a view, never beyond `end`. A tag is (field number << 3) | wire type: comparing the whole
 * tag makes a known field with another wire type an unknown one, as protobuf does. Every rejection is a ChappeError
 * of the name given to the constructor.
 */
export class WireReader {
  /** Next byte to read. */
  pos = 0;
  /** End of the message in hand. */
  end: number;
  private readonly bytes: Uint8Array;
  private readonly error: ErrorName;
  private dataView: DataView | undefined;
  /** Upper half of the last varint. */
  private high = 0;

  constructor(bytes: Uint8Array, error: ErrorName) {
    this.bytes = bytes;
    this.end = bytes.length;
    this.error = error;
  }

  /** The next tag. Illegal ones are found by `skip`, where all unknown tags end. */
  tag(): number {
    const byte = this.bytes[this.pos]!;
    if (byte < 0x80) {
      this.pos++;
      return byte;
    }
    const start = this.pos;
    const tag = this.varint();
    if (this.high !== 0 || this.pos - start > maxTagBytes) this.fail("a tag overflows 32 bits");
    return tag;
  }

  /** Steps over the one-byte tag `tag` when it comes next. */
  take(tag: number): boolean {
    if (this.pos >= this.end || this.bytes[this.pos] !== tag) return false;
    this.pos++;
    return true;
  }

  /** A uint32; higher bits are dropped, as protobuf does. */
  uint32(): number {
    return this.varint();
  }

  /** An enum or int32. */
  int32(): number {
    return this.varint() | 0;
  }

  /** A bool. */
  bool(): boolean {
    const low = this.varint();
    return (low | this.high) !== 0;
  }

  /** A uint64 as a number; one above 2^53 - 1 is rejected. */
  number(): number {
    const low = this.varint();
    if (this.high > maxSafeHigh) this.fail("a number is above 2^53 - 1");
    return this.high * 0x1_0000_0000 + low;
  }

  /** A fixed32. */
  fixed32(): number {
    const at = this.advance(4);
    const bytes = this.bytes;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  /** A fixed64. */
  fixed64(): bigint {
    const at = this.advance(8);
    this.dataView ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    return this.dataView.getBigUint64(at, true);
  }

  /** A bytes field, as a view into the input; `emptyBytes` when it has none. */
  view(): Uint8Array {
    const length = this.delimiter();
    if (length === 0) return emptyBytes;
    return this.slice(this.advance(length), this.pos);
  }

  /** Like `view`, but cut at the end of the input where `view` would reject; never throws. */
  clippedView(): Uint8Array {
    let length = 0;
    let scale = 1;
    for (let i = 0; i < maxVarintBytes && this.pos < this.end; i++) {
      const byte = this.bytes[this.pos++]!;
      length += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) break;
    }
    const start = this.pos;
    this.pos = Math.min(this.end, start + length);
    return this.slice(start, this.pos);
  }

  /** The input from `start` to `end`, as a view. */
  slice(start: number, end: number): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, end - start);
  }

  /** Enters a submessage; answers what `leave` needs. */
  enter(): number {
    const outer = this.end;
    const length = this.delimiter();
    this.end = this.pos + length;
    return outer;
  }

  /** Leaves a submessage that was read to its end. */
  leave(outer: number): void {
    this.end = outer;
  }

  /** Skips the value of an unknown field, a group with all it holds included. */
  skip(tag: number, depth = 0): void {
    if (tag >>> 3 === 0) this.fail("a field has number 0");
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.advance(8);
        return;
      case 2:
        this.advance(this.delimiter());
        return;
      case 3:
        this.skipGroup(tag, depth + 1);
        return;
      case 5:
        this.advance(4);
        return;
      default:
        this.fail(`wire type ${tag & 7} is out of place`);
    }
  }

  /** Rejects the input. */
  fail(message: string): never {
    throw new ChappeError(this.error, `${message} (at byte ${this.pos})`);
  }

  private skipGroup(startTag: number, depth: number): void {
    if (depth > limits.maxGroupDepth) this.fail("groups are nested too deep");
    const endTag = startTag + 1;
    while (this.pos < this.end) {
      const tag = this.tag();
      if (tag === endTag) return;
      this.skip(tag, depth);
    }
    this.fail("a group has no end");
  }

  private delimiter(): number {
    const length = this.varint();
    if (this.high !== 0 || length > this.end - this.pos) this.fail("a length goes beyond the input");
    return length;
  }

  private advance(count: number): number {
    const at = this.pos;
    if (count > this.end - at) this.fail("the input is truncated");
    this.pos = at + count;
    return at;
  }

  /** Low 32 bits of a varint; the next 32 bits go to `high`. */
  private varint(): number {
    this.high = 0;
    if (this.pos < this.end) {
      const byte = this.bytes[this.pos]!;
      if (byte < 0x80) {
        this.pos++;
        return byte;
      }
    }
    return this.longVarint();
  }

  private longVarint(): number {
    let low = 0;
    let high = 0;
    for (let i = 0; i < maxVarintBytes; i++) {
      const byte = this.bytes[this.advance(1)]!;
      const bits = byte & 0x7f;
      if (i < 5) low |= bits << (7 * i);
      if (i === 4) high = bits >>> 4;
      if (i > 4) high |= bits << (7 * i - 32);
      if (byte < 0x80) {
        this.high = high >>> 0;
        return low >>> 0;
      }
    }
    return this.fail("a varint is longer than ten bytes");
  }
}
