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
  .tuple(anyEvent, fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 1 }), fc.boolean())
  .map(([event, conversationId, lastSeq, isRun]) => ({
    ...event,
    conversationId,
    lastSeq,
    firstSeq: isRun ? Math.ceil(lastSeq / 2) : lastSeq,
  }));
const anyTraced = fc
  .tuple(anyMessage, fc.array(fc.record({ seq: fc.nat(), traceContext: anyBytes }), { minLength: 1, maxLength: 3 }))
  .map(([message, traced]) => ({ ...message, traced }));
const anyDeliveries = fc.array(fc.oneof(anyEvent, anyMessage, anyTraced), { maxLength: 4 });

test("encodes to the bytes of protobuf-es and back", () => {
  fc.assert(
    fc.property(anyDeliveries, (deliveries) => {
      const messages = deliveries.map((one) => {
        if (!("lastSeq" in one)) return one;
        const firstSeq = one.firstSeq === one.lastSeq ? 0n : BigInt(one.firstSeq);
        const traced = "traced" in one ? one.traced.map((each) => ({ ...each, seq: BigInt(each.seq) })) : [];
        return { ...one, lastSeq: BigInt(one.lastSeq), firstSeq, traced };
      });
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
