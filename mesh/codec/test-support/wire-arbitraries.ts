import type { ErrorName } from "@chappe/gen/errors.ts";
import fc from "fast-check";
import { ChappeError } from "../../errors/chappe-error.ts";

/** Any uint32, small and large ones alike. */
export const anyUint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }));
/** Any safe integer >= 0, of every varint length. */
export const anySafe = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.integer({ min: 0, max: 53 }).map((bits) => 2 ** bits - 1),
);
/** Any fixed64. */
export const anyFixed64 = fc.oneof(fc.bigInt(0n, 9n), fc.bigInt(0n, 2n ** 64n - 1n));
/** Any int32, as enums travel. */
export const anyEnum = fc.oneof(fc.nat(9), fc.integer());
/** Bytes around the lengths where a copy or a length prefix changes its shape. */
export const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 30 }),
  fc.integer({ min: 120, max: 135 }).map((length) => new Uint8Array(length).fill(length)),
);

/** The arrays one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A varint of `value`, padded to at least `length` bytes. */
export function varint(value: bigint | number, length = 1): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest > 0x7fn || bytes.length < length - 1) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** Tag, length and bytes. */
export function delimited(tag: number, bytes: Uint8Array): Uint8Array {
  return concat([varint(tag), varint(bytes.length), bytes]);
}

/** A varint field whose value is padded to some length up to ten bytes. */
export function paddedVarintField(tag: number, value: fc.Arbitrary<number>): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(value, fc.integer({ min: 1, max: 10 }))
    .map(([number, length]) => concat([varint(tag), varint(number, length)]));
}

/** One field of a number that no message here knows, of any wire type, groups included. */
export const unknownField: fc.Arbitrary<Uint8Array> = fc.letrec<{ field: Uint8Array }>((tie) => {
  const tagOf = (wireType: number) => fc.integer({ min: 16, max: 2 ** 29 - 1 }).map((number) => number * 8 + wireType);
  const withTag = (wireType: number, value: fc.Arbitrary<Uint8Array>) =>
    fc.tuple(tagOf(wireType), value).map(([tag, bytes]) => concat([varint(tag), bytes]));
  const group = fc
    .tuple(tagOf(3), fc.array(tie("field"), { maxLength: 3 }))
    .map(([tag, fields]) => concat([varint(tag), ...fields, varint(tag + 1)]));
  return {
    field: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      withTag(
        0,
        fc.tuple(fc.bigInt(0n, 2n ** 64n - 1n), fc.integer({ min: 1, max: 10 })).map(([v, n]) => varint(v, n)),
      ),
      withTag(1, fc.uint8Array({ minLength: 8, maxLength: 8 })),
      withTag(
        2,
        anyBytes.map((bytes) => concat([varint(bytes.length), bytes])),
      ),
      withTag(5, fc.uint8Array({ minLength: 4, maxLength: 4 })),
      group,
    ),
  };
}).field;

/** Fields in any order, repeated, left out, with unknown ones between them. */
export function soup(fields: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc
    .array(fc.oneof({ weight: 3, arbitrary: fields }, { weight: 1, arbitrary: unknownField }), { maxLength: 24 })
    .map(concat);
}

/** What `decode` answers, or "rejected"; any error but a ChappeError of this name goes on. */
export function verdict<T>(name: ErrorName, decode: () => T): T | "rejected" {
  try {
    return decode();
  } catch (error) {
    if (ChappeError.is(error, name)) return "rejected";
    throw error;
  }
}

/** What the reference answers, or "rejected". */
export function referenceVerdict<T>(decode: () => T): T | "rejected" {
  try {
    return decode();
  } catch {
    return "rejected";
  }
}
