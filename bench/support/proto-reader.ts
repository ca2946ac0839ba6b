const varintWire = 0;
const fixed64Wire = 1;
const bytesWire = 2;
const fixed32Wire = 5;

/** Walks over the fields of one protobuf message in place. Throws RangeError on bytes that are not protobuf. */
export class ProtoReader {
  #buffer: Buffer = Buffer.alloc(0);
  #position = 0;
  #end = 0;
  /** Number of the field read last. */
  field = 0;
  /** Value of a varint field (below 2^53), else 0. */
  value = 0;
  /** Where a bytes or fixed field starts and ends in the buffer. */
  start = 0;
  end = 0;

  /** Starts at `start`, ends before `end`. */
  reset(buffer: Buffer, start = 0, end = buffer.length): this {
    this.#buffer = buffer;
    this.#position = start;
    this.#end = end;
    return this;
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.#position >= this.#end) return false;
    const tag = this.#varint();
    this.field = tag >>> 3;
    this.value = 0;
    const wire = tag & 7;
    if (wire === varintWire) this.value = this.#varint();
    else if (wire === bytesWire) this.#span(this.#varint());
    else if (wire === fixed64Wire) this.#span(8);
    else if (wire === fixed32Wire) this.#span(4);
    else throw new RangeError(`wire type ${wire} at byte ${this.#position}`);
    return true;
  }

  /** The bytes of the field read last, without a copy. */
  bytes(): Buffer {
    return this.#buffer.subarray(this.start, this.end);
  }

  #span(length: number): void {
    this.start = this.#position;
    this.end = this.#position + length;
    if (this.end > this.#end) throw new RangeError("a field ends after its message");
    this.#position = this.end;
  }

  #varint(): number {
    const buffer = this.#buffer;
    let byte = buffer[this.#position++]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 0x80;
    do {
      if (this.#position >= this.#end) throw new RangeError("a number ends after its message");
      byte = buffer[this.#position++]!;
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
    } while (byte >= 0x80 && factor < 2 ** 70);
    return value;
  }
}
