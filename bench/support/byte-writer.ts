/** Protobuf bytes into one growing buffer; reused, never shrunk. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  /** Bytes written since the last clear. */
  get length(): number {
    return this.#length;
  }

  /** The bytes written, without a copy: valid until the next write. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The bytes written, copied. */
  finish(): Buffer {
    const copy = Buffer.from(this.view());
    this.#length = 0;
    return copy;
  }

  clear(): void {
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  /** A number below 2^53, as varint. */
  varint(value: number): this {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A varint field; zero is left out. */
  number(field: number, value: number): this {
    return value === 0 ? this : this.varint(field * 8).varint(value);
  }

  /** A bytes, string or message field; empty is written too. */
  bytes(field: number, value: Uint8Array): this {
    return this.varint(field * 8 + 2)
      .varint(value.length)
      .raw(value);
  }

  /** A fixed64 field. */
  fixed64(field: number, value: bigint): this {
    this.varint(field * 8 + 1);
    this.#reserve(8);
    this.#buffer.writeBigUInt64LE(value, this.#length);
    this.#length += 8;
    return this;
  }
}
