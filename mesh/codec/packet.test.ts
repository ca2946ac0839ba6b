import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  PacketBatchSchema,
  type PacketKind,
  type Packet as PacketMessage,
  PacketSchema,
} from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteWriter } from "./byte-writer.ts";
import {
  appendPacket,
  createPacket,
  decodePacketBatch,
  encodeBatchedPacket,
  encodePacketBatch,
  type Packet,
} from "./packet.ts";
import {
  anyBytes,
  anyEnum,
  anyUint32,
  concat,
  delimited,
  paddedVarintField,
  referenceVerdict,
  soup,
  verdict,
} from "./test-support/wire-arbitraries.ts";
import { emptyBytes } from "./wire-reader.ts";

const anyPacket: fc.Arbitrary<Packet> = fc.record({
  kind: anyEnum,
  svid: anyUint32,
  cmd: anyUint32,
  id: anyUint32,
  affinity: anyBytes,
  timeoutMs: anyUint32,
  traceContext: anyBytes,
  payload: anyBytes,
});

const anyField = fc.oneof(
  anyEnum.map((kind) => toBinary(PacketSchema, create(PacketSchema, { kind: kind as PacketKind }))),
  paddedVarintField(0x10, anyUint32),
  paddedVarintField(0x18, anyUint32),
  paddedVarintField(0x20, anyUint32),
  anyBytes.map((affinity) => delimited(0x2a, affinity)),
  paddedVarintField(0x30, anyUint32),
  anyBytes.map((traceContext) => delimited(0x3a, traceContext)),
  anyBytes.map((payload) => delimited(0x7a, payload)),
);
const anyBatchBytes = soup(soup(anyField).map((packet) => delimited(0x0a, packet)));

const plain = (message: PacketMessage): Packet => {
  const { kind, svid, cmd, id, affinity, timeoutMs, traceContext, payload } = message;
  return { kind, svid, cmd, id, affinity, timeoutMs, traceContext, payload };
};
/** The generated code types enums as closed. */
const message = (packet: Packet) => create(PacketSchema, { ...packet, kind: packet.kind as PacketKind });
const reference = (bytes: Uint8Array) => fromBinary(PacketBatchSchema, bytes).packets.map(plain);

test("encodes a batch to the bytes of protobuf-es", () => {
  fc.assert(
    fc.property(fc.array(anyPacket, { maxLength: 5 }), (packets) => {
      const expected = toBinary(PacketBatchSchema, create(PacketBatchSchema, { packets: packets.map(message) }));
      expect(encodePacketBatch(packets)).toEqual(expected);
      expect(decodePacketBatch(expected)).toEqual(packets);
      const writer = new ByteWriter(1);
      for (const packet of packets) appendPacket(writer, packet);
      expect(writer.finish()).toEqual(expected);
      expect(concat(packets.map(encodeBatchedPacket))).toEqual(expected);
    }),
  );
});

test("decodes fields in any order, repeated, absent, padded and unknown like protobuf-es", () => {
  fc.assert(
    fc.property(anyBatchBytes, (bytes) => {
      expect(decodePacketBatch(bytes)).toEqual(reference(bytes));
    }),
    { numRuns: 500 },
  );
});

test("judges every truncation as protobuf-es does", () => {
  fc.assert(
    fc.property(anyBatchBytes, (bytes) => {
      for (let end = 0; end < bytes.length; end++) {
        const cut = bytes.slice(0, end);
        expect(verdict("MALFORMED_FRAME", () => decodePacketBatch(cut))).toEqual(
          referenceVerdict(() => reference(cut)),
        );
      }
    }),
    { numRuns: 30 },
  );
});

test("never reads beyond the view it was given", () => {
  fc.assert(
    fc.property(anyBatchBytes, fc.nat(400), (bytes, cut) => {
      const end = Math.min(cut, bytes.length);
      const inside = concat([Uint8Array.of(1, 2, 3), bytes]).subarray(3, 3 + end);
      const alone = bytes.slice(0, end);
      const decode = (input: Uint8Array) => verdict("MALFORMED_FRAME", () => decodePacketBatch(input));
      expect(decode(inside)).toEqual(decode(alone));
    }),
  );
});

test("answers garbage with packets or MALFORMED_FRAME, nothing else", () => {
  const damaged = fc.tuple(anyBatchBytes, fc.nat(), fc.nat(255)).map(([bytes, at, value]) => {
    if (bytes.length > 0) bytes[at % bytes.length] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), damaged), (bytes) => {
      verdict("MALFORMED_FRAME", () => decodePacketBatch(bytes));
    }),
    { numRuns: 3_000 },
  );
});

test("an empty packet has zero values and the shared empty array", () => {
  const [packet] = decodePacketBatch(Uint8Array.of(0x0a, 0));
  expect(packet).toEqual(createPacket({}));
  expect(packet?.payload).toBe(emptyBytes);
  expect(decodePacketBatch(emptyBytes)).toEqual([]);
});

test("byte fields are views into the input", () => {
  const bytes = encodePacketBatch([createPacket({ payload: Uint8Array.of(7, 8, 9) })]);
  expect(decodePacketBatch(bytes)[0]?.payload.buffer).toBe(bytes.buffer);
});

test("rejects more packets than the limit", () => {
  const bytes = encodePacketBatch([createPacket({}), createPacket({}), createPacket({})]);
  expect(decodePacketBatch(bytes, { maxPackets: 3 })).toHaveLength(3);
  expect(verdict("MALFORMED_FRAME", () => decodePacketBatch(bytes, { maxPackets: 2 }))).toBe("rejected");
});

test("a known field with another wire type is an unknown field", () => {
  const odd = concat([
    Uint8Array.of(0x12, 2, 1, 1),
    Uint8Array.of(0x78, 5),
    Uint8Array.of(0x2d, 1, 2, 3, 4),
    Uint8Array.of(0x18, 9),
  ]);
  expect(decodePacketBatch(delimited(0x0a, odd))).toEqual([createPacket({ cmd: 9 })]);
});
