import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeliverRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeDeliveries, encodeDeliveries } from "./event-deliveries.ts";
import { anyBytes, anyFixed64, anyUint32, referenceVerdict, verdict } from "./test-support/wire-arbitraries.ts";

const anyEvent = fc.record({
  connectionIds: fc.array(anyFixed64, { maxLength: 20 }),
  svid: anyUint32,
  cmd: anyUint32,
  payload: anyBytes,
});
const anyMessage = fc
  .tuple(anyEvent, fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 1 }))
  .map(([event, conversationId, lastSeq]) => ({ ...event, conversationId, lastSeq }));
const anyDeliveries = fc.array(fc.oneof(anyEvent, anyMessage), { maxLength: 4 });

test("encodes to the bytes of protobuf-es and back", () => {
  fc.assert(
    fc.property(anyDeliveries, (deliveries) => {
      const messages = deliveries.map((one) => ("lastSeq" in one ? { ...one, lastSeq: BigInt(one.lastSeq) } : one));
      const bytes = encodeDeliveries(deliveries);
      expect(bytes).toEqual(toBinary(DeliverRequestSchema, create(DeliverRequestSchema, { deliveries: messages })));
      expect(decodeDeliveries(bytes)).toEqual(deliveries);
    }),
  );
});

test("judges truncations like protobuf-es", () => {
  fc.assert(
    fc.property(anyDeliveries, (deliveries) => {
      const bytes = encodeDeliveries(deliveries);
      for (let end = 0; end <= bytes.length; end++) {
        const cut = bytes.slice(0, end);
        const [mine, reference] = [
          verdict("MALFORMED_PAYLOAD", () => decodeDeliveries(cut).length),
          referenceVerdict(() => fromBinary(DeliverRequestSchema, cut).deliveries.length),
        ];
        expect(mine, `cut at ${end}`).toEqual(reference);
      }
    }),
    { numRuns: 30 },
  );
});
