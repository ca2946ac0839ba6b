import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeliveryAckSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeDeliveryAck, encodeDeliveryAck } from "./delivery-ack.ts";
import {
  anyBytes,
  anySafe,
  delimited,
  paddedVarintField,
  referenceVerdict,
  soup,
  verdict,
} from "./test-support/wire-arbitraries.ts";

const anyAcks = fc.array(fc.record({ conversationId: anyBytes, seq: anySafe }), { maxLength: 5 });
const anyAckBytes = soup(
  soup(
    fc.oneof(
      anyBytes.map((id) => delimited(0x0a, id)),
      paddedVarintField(0x10, anySafe),
    ),
  ).map((ack) => delimited(0x0a, ack)),
);
const reference = (bytes: Uint8Array) =>
  fromBinary(DeliveryAckSchema, bytes).acks.map(({ conversationId, seq }) => ({ conversationId, seq: Number(seq) }));
const decode = (bytes: Uint8Array, maxAcks?: number) =>
  verdict("MALFORMED_FRAME", () => decodeDeliveryAck(bytes, maxAcks === undefined ? {} : { maxAcks }));

test("encodes to the bytes of protobuf-es and back", () => {
  fc.assert(
    fc.property(anyAcks, (acks) => {
      const expected = create(DeliveryAckSchema, { acks: acks.map((ack) => ({ ...ack, seq: BigInt(ack.seq) })) });
      expect(encodeDeliveryAck(acks)).toEqual(toBinary(DeliveryAckSchema, expected));
      expect(decodeDeliveryAck(encodeDeliveryAck(acks))).toEqual(acks);
    }),
  );
});

test("decodes and judges truncations like protobuf-es", () => {
  fc.assert(
    fc.property(anyAckBytes, (bytes) => {
      for (let end = 0; end <= bytes.length; end++) {
        const cut = bytes.slice(0, end);
        expect(decode(cut)).toEqual(referenceVerdict(() => reference(cut)));
      }
    }),
    { numRuns: 30 },
  );
});

test("answers garbage with acks or MALFORMED_FRAME, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      decode(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test("rejects more conversations than the limit", () => {
  const bytes = encodeDeliveryAck(Array(3).fill({ conversationId: new Uint8Array(16), seq: 1 }));
  expect(decode(bytes, 3)).toHaveLength(3);
  expect(decode(bytes, 2)).toBe("rejected");
});
