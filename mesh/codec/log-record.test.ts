import { crc32 } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type EntryKind, LogRecordSchema, RecordEnvelopeSchema } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ChappeError } from "../errors/chappe-error.ts";
import {
  decodeLogRecord as decodeWithFound,
  encodeLogRecord,
  type LogRecordEntry,
  logEntrySize,
} from "./log-record.ts";
import {
  anyBytes,
  anyEnum,
  anyFixed64,
  anyUint32,
  concat,
  delimited,
  paddedVarintField,
  soup,
  unknownField,
  verdict,
} from "./test-support/wire-arbitraries.ts";

const anyEntry: fc.Arbitrary<LogRecordEntry> = fc.record({
  conversationId: anyBytes,
  senderId: anyFixed64,
  clientMessageId: anyBytes,
  digest: anyFixed64,
  deviceId: anyFixed64,
  kind: anyEnum,
  traceContext: anyBytes,
  body: anyBytes,
});
const anyEntries = fc.array(anyEntry, { minLength: 1, maxLength: 4 });

/** What the record says; what was found in place of a body is looked at on its own. */
const decodeLogRecord = (bytes: Uint8Array) => decodeWithFound(bytes).map(({ found, ...entry }) => entry);

const decode = (bytes: Uint8Array) => verdict("CORRUPT", () => decodeLogRecord(bytes));

/** The record as the generated code writes it. */
function referenceEncode(entries: readonly LogRecordEntry[]): Uint8Array {
  const heads = entries.map(({ body, ...head }) => ({
    ...head,
    kind: head.kind as EntryKind,
    bodyBytes: body.length,
    bodyCrc: crc32(body),
  }));
  const envelope = toBinary(RecordEnvelopeSchema, create(RecordEnvelopeSchema, { entries: heads }));
  const bodies = concat(entries.map(({ body }) => body));
  return toBinary(LogRecordSchema, create(LogRecordSchema, { envelope, envelopeCrc: crc32(envelope), bodies }));
}

/** A record around any envelope bytes, its three fields in any order. */
function wrap(envelope: Uint8Array, bodies: Uint8Array, order: readonly number[] = [0, 1, 2]): Uint8Array {
  const crc = new Uint8Array(5);
  crc[0] = 0x15;
  new DataView(crc.buffer).setUint32(1, crc32(envelope), true);
  const fields = [delimited(0x0a, envelope), crc, delimited(0x1a, bodies)];
  return concat(order.map((index) => fields[index]!));
}

test("encodes to the bytes of protobuf-es and back", () => {
  fc.assert(
    fc.property(anyEntries, (entries) => {
      const bytes = encodeLogRecord(entries);
      expect(bytes).toEqual(referenceEncode(entries));
      expect(decodeLogRecord(bytes)).toEqual(entries);
      const sum = entries.reduce((size, entry) => size + logEntrySize(entry), 0);
      expect(bytes.length).toBeLessThanOrEqual(sum + 5 + 2 * 6);
    }),
  );
});

test("decodes an envelope in any order, repeated, absent, padded and unknown like protobuf-es", () => {
  const fixed = (tag: number, length: number) =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => concat([Uint8Array.of(tag), bytes]));
  const field = fc.oneof(
    ...[0x0a, 0x1a, 0x4a].map((tag) => anyBytes.map((bytes) => delimited(tag, bytes))),
    ...[0x11, 0x21, 0x39].map((tag) => fixed(tag, 8)),
    ...[0x28, 0x40].map((tag) => paddedVarintField(tag, anyUint32)),
    fixed(0x35, 4),
  );
  const anyEnvelope = soup(soup(field).map((entry) => delimited(0x0a, entry))).filter((bytes) => bytes.length > 0);
  const anyOrder = fc.shuffledSubarray([0, 1, 2], { minLength: 3 });
  fc.assert(
    fc.property(anyEnvelope, anyOrder, fc.array(unknownField, { maxLength: 2 }), (envelope, order, unknown) => {
      const expected = fromBinary(RecordEnvelopeSchema, envelope).entries.map((entry) => {
        const { $typeName, $unknown, bodyBytes, bodyCrc, ...head } = entry;
        return { ...head, body: bodyBytes === 0 && bodyCrc === 0 ? new Uint8Array(0) : undefined };
      });
      const bytes = concat([...unknown, wrap(envelope, new Uint8Array(0), order), ...unknown]);
      expect(decodeLogRecord(bytes)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test("damage to a body costs that body only", () => {
  fc.assert(
    fc.property(anyEntries, fc.nat(), fc.integer({ min: 1, max: 255 }), (entries, at, flip) => {
      const lengths = entries.map(({ body }) => body.length);
      const bodiesBytes = lengths.reduce((a, b) => a + b);
      fc.pre(bodiesBytes > 0);
      const bytes = encodeLogRecord(entries);
      let hit = at % bodiesBytes;
      const place = bytes.length - bodiesBytes + hit;
      bytes[place] = bytes[place]! ^ flip;
      const index = lengths.findIndex((length) => {
        hit -= length;
        return hit < 0;
      });
      expect(decodeLogRecord(bytes)).toEqual(entries.map((e, i) => (i === index ? { ...e, body: undefined } : e)));
    }),
  );
});

test("any damage is CORRUPT or keeps every entry and changes no body", () => {
  fc.assert(
    fc.property(anyEntries, fc.nat(), fc.integer({ min: 1, max: 255 }), (entries, at, flip) => {
      const bytes = encodeLogRecord(entries);
      const bodies = concat(entries.map(({ body }) => body));
      // Bodies that are all empty are absent from the record.
      const envelopeEnd = bytes.length - (bodies.length === 0 ? 0 : delimited(0x1a, bodies).length);
      const place = at % bytes.length;
      bytes[place] = bytes[place]! ^ flip;
      const decoded = decode(bytes);
      if (decoded === "rejected") expect(place).toBeLessThan(envelopeEnd);
      else expect(decoded.map((entry, i) => ({ ...entry, body: entry.body ?? entries[i]!.body }))).toEqual(entries);
    }),
    { numRuns: 2_000 },
  );
});

test("a cut record is CORRUPT up to the end of its envelope and then loses only the bodies that are cut", () => {
  fc.assert(
    fc.property(anyEntries, (entries) => {
      const bytes = encodeLogRecord(entries);
      const bodies = concat(entries.map(({ body }) => body));
      const bodiesAt = bytes.length - bodies.length;
      const envelopeEnd = bodies.length === 0 ? bytes.length : bytes.length - delimited(0x1a, bodies).length;
      for (let end = 0; end < bytes.length; end++) {
        const decoded = decode(bytes.slice(0, end));
        let bodyEnd = bodiesAt;
        const expected = entries.map((entry) => {
          bodyEnd += entry.body.length;
          return entry.body.length === 0 || bodyEnd <= end ? entry : { ...entry, body: undefined };
        });
        expect(decoded).toEqual(end < envelopeEnd ? "rejected" : expected);
      }
    }),
    { numRuns: 20 },
  );
});

test("answers garbage with CORRUPT", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      decode(bytes);
    }),
    { numRuns: 2_000 },
  );
  expect(decode(new Uint8Array(0))).toBe("rejected");
  expect(decode(wrap(Uint8Array.of(0x0a, 5, 0), new Uint8Array(0)))).toBe("rejected");
});

test("a record needs an entry", () => {
  expect(() => encodeLogRecord([])).toThrow(ChappeError);
});

test("what stands in place of a damaged or cut body is there to be kept", () => {
  fc.assert(
    fc.property(anyEntries, fc.nat(300), (entries, cut) => {
      const bytes = encodeLogRecord(entries);
      const bodies = concat(entries.map(({ body }) => body));
      fc.pre(cut <= bodies.length);
      const found = concat(decodeWithFound(bytes.subarray(0, bytes.length - cut)).map((entry) => entry.found));
      expect(found).toEqual(bodies.subarray(0, bodies.length - cut));
    }),
  );
});
