/** Sizes of protobuf fields in bytes. Every tag here is one byte (field numbers up to 15); zero values take no room. */
import { ChappeError } from "../errors/chappe-error.ts";

const negativeInt32Bytes = 10;

/** Bytes of the varint of a safe integer >= 0. INTERNAL for any other number: a bug of the caller. */
function varintSize(value: number): number {
  if (value >>> 0 === value) {
    if (value < 0x80) return 1;
    if (value < 0x4000) return 2;
    if (value < 0x20_0000) return 3;
    return value < 0x1000_0000 ? 4 : 5;
  }
  if (!Number.isSafeInteger(value) || value < 0) throw outOfRange(value, "a safe integer >= 0");
  if (value < 2 ** 35) return 5;
  if (value < 2 ** 42) return 6;
  return value < 2 ** 49 ? 7 : 8;
}

/** Bytes of a uint32 field. INTERNAL when `value` is no uint32. */
export function uint32FieldSize(value: number): number {
  if (value >>> 0 !== value) throw outOfRange(value, "a uint32");
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes of a uint64 or int64 field that holds a safe integer >= 0. INTERNAL for any other number. */
export function numberFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes of an enum field. INTERNAL when `value` is no int32. */
export function enumFieldSize(value: number): number {
  if ((value | 0) !== value) throw outOfRange(value, "an int32");
  if (value < 0) return 1 + negativeInt32Bytes;
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Bytes of a bool field. */
export function boolFieldSize(value: boolean): number {
  return value ? 2 : 0;
}

/** Bytes of a fixed32 field. INTERNAL when `value` is no uint32. */
export function fixed32FieldSize(value: number): number {
  if (value >>> 0 !== value) throw outOfRange(value, "a uint32");
  return value === 0 ? 0 : 5;
}

/** Bytes of a fixed64 field. */
export function fixed64FieldSize(value: bigint): number {
  return value === 0n ? 0 : 9;
}

/** Bytes of a bytes field. */
export function bytesFieldSize(value: Uint8Array): number {
  return value.length === 0 ? 0 : delimitedSize(value.length);
}

/** Bytes of a tag, a length and `length` bytes: a submessage, present even when it is empty. */
export function delimitedSize(length: number): number {
  return 1 + varintSize(length) + length;
}

function outOfRange(value: number, wanted: string): ChappeError {
  return new ChappeError("INTERNAL", `cannot encode ${value}: not ${wanted}`);
}
