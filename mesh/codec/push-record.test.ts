import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type PushEntry as PushEntryMessage, PushRecordSchema } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePushRecord, encodePushRecord, type PushEntry } from "./push-record.ts";
import {
  anyBytes,
  anyFixed64,
  anySafe,
  anyUint32,
  concat,
  delimited,
  paddedVarintField,
  referenceVerdict,
  soup,
  varint,
  verdict,
} from "./test-support/wire-arbitraries.ts";
import { emptyBytes } from "./wire-reader.ts";

const anyEntry: fc.Arbitrary<PushEntry> = fc.record({
  conversationId: anyBytes,
  userIds: fc.array(anyFixed64, { maxLength: 20 }),
  onlyDeviceId: anyFixed64,
  exceptDeviceId: anyFixed64,
  exceptUserId: anyFixed64,
  svid: anyUint32,
  cmd: anyUint32,
  payload: anyBytes,
  firstSeq: anySafe,
  lastSeq: anySafe,
  changes: fc.array(fc.record({ userId: anyFixed64, joined: fc.boolean(), role: anyUint32 }), { maxLength: 3 }),
  traced: fc.array(fc.record({ seq: anySafe, traceContext: anyBytes }), { maxLength: 3 }),
});

const eight = fc.uint8Array({ minLength: 8, maxLength: 8 });
const fixed64Field = (tag: number) => eight.map((bytes) => concat([Uint8Array.of(tag), bytes]));
const anyChange = soup(
  fc.oneof(
    fixed64Field(0x09),
    paddedVarintField(0x10, fc.oneof(fc.nat(1), anySafe)),
    paddedVarintField(0x18, anyUint32),
  ),
);
const anyTraced = soup(
  fc.oneof(
    paddedVarintField(0x08, anySafe),
    anyBytes.map((context) => delimited(0x12, context)),
  ),
);
const anyField = fc.oneof(
  anyBytes.map((id) => delimited(0x0a, id)),
  fixed64Field(0x11),
  fc.array(eight, { maxLength: 4 }).map((ids) => delimited(0x12, concat(ids))),
  fixed64Field(0x19),
  fixed64Field(0x21),
  fixed64Field(0x59),
  paddedVarintField(0x28, anyUint32),
  paddedVarintField(0x30, anyUint32),
  anyBytes.map((payload) => delimited(0x3a, payload)),
  paddedVarintField(0x40, anySafe),
  paddedVarintField(0x48, anySafe),
  anyChange.map((change) => delimited(0x52, change)),
  anyTraced.map((traced) => delimited(0x62, traced)),
);
const anyRecordBytes = soup(soup(anyField).map((entry) => delimited(0x0a, entry)));

const plain = (entry: PushEntryMessage): PushEntry => {
  const { $typeName, $unknown, firstSeq, lastSeq, changes, traced, ...rest } = entry;
  return {
    ...rest,
    firstSeq: Number(firstSeq),
    lastSeq: Number(lastSeq),
    changes: changes.map(({ userId, joined, role }) => ({ userId, joined, role })),
    traced: traced.map(({ seq, traceContext }) => ({ seq: Number(seq), traceContext })),
  };
};
const message = (entry: PushEntry) => ({
  ...entry,
  userIds: [...entry.userIds],
  changes: [...entry.changes],
  traced: entry.traced.map(({ seq, traceContext }) => ({ seq: BigInt(seq), traceContext })),
  firstSeq: BigInt(entry.firstSeq),
  lastSeq: BigInt(entry.lastSeq),
});
const reference = (bytes: Uint8Array) => fromBinary(PushRecordSchema, bytes).entries.map(plain);
const decode = (bytes: Uint8Array) => verdict("CORRUPT", () => decodePushRecord(bytes));

test("encodes to the bytes of protobuf-es and back", () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 4 }), (entries) => {
      const bytes = encodePushRecord(entries);
      expect(bytes).toEqual(toBinary(PushRecordSchema, create(PushRecordSchema, { entries: entries.map(message) })));
      expect(decodePushRecord(bytes)).toEqual(entries);
    }),
  );
});

test("decodes fields in any order, repeated, absent, padded, packed or not and unknown like protobuf-es", () => {
  fc.assert(
    fc.property(anyRecordBytes, (bytes) => {
      expect(decodePushRecord(bytes)).toEqual(reference(bytes));
    }),
    { numRuns: 500 },
  );
});

test("judges every truncation as protobuf-es does", () => {
  fc.assert(
    fc.property(anyRecordBytes, (bytes) => {
      for (let end = 0; end < bytes.length; end++) {
        const cut = bytes.slice(0, end);
        expect(decode(cut)).toEqual(referenceVerdict(() => reference(cut)));
      }
    }),
    { numRuns: 20 },
  );
});

test("answers garbage with entries or CORRUPT, nothing else", () => {
  const damaged = fc.tuple(anyRecordBytes, fc.nat(), fc.nat(255)).map(([bytes, at, value]) => {
    if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), damaged), (bytes) => {
      decode(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test("fields left out are absent", () => {
  const entry = { svid: 10, cmd: 101, payload: Uint8Array.of(1) };
  const bytes = encodePushRecord([entry]);
  expect(bytes).toEqual(toBinary(PushRecordSchema, create(PushRecordSchema, { entries: [entry] })));
  expect(decodePushRecord(bytes)).toEqual([
    {
      ...entry,
      conversationId: emptyBytes,
      userIds: [],
      onlyDeviceId: 0n,
      exceptDeviceId: 0n,
      exceptUserId: 0n,
      firstSeq: 0,
      lastSeq: 0,
      changes: [],
      traced: [],
    },
  ]);
});

test("rejects packed user ids that are cut, parts that leave their entry, and seqs above 2^53 - 1", () => {
  const entry = (...parts: Uint8Array[]) => decode(delimited(0x0a, concat(parts)));
  // What follows the last whole id would pass for fields.
  const fields = Uint8Array.of(0x28, 1, 0x28, 1, 0x28, 0x81, 0);
  expect(entry(fields)).not.toBe("rejected");
  expect(entry(delimited(0x12, concat([new Uint8Array(8), fields])))).toBe("rejected");
  const unknownOutside = concat([Uint8Array.of(0x39), new Uint8Array(8)]);
  for (const tag of [0x12, 0x52, 0x3a]) {
    expect(decode(concat([Uint8Array.of(0x0a, 2, tag, 0), unknownOutside])), `${tag}`).not.toBe("rejected");
    expect(decode(concat([Uint8Array.of(0x0a, 2, tag, 9), unknownOutside])), `${tag}`).toBe("rejected");
  }
  const change = concat([Uint8Array.of(0x0a, 2, 0x52, 9, 0x09), new Uint8Array(8)]);
  expect(decode(change)).toBe("rejected");
  expect(entry(Uint8Array.of(0x40), varint(2n ** 53n))).toBe("rejected");
});
