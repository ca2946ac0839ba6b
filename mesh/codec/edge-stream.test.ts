import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ListeningSchema,
  SendFrameRequestSchema,
  SendFrameResponseSchema,
} from "@chappe/gen/proto/chappe/edge/v1/edge_stream_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeSendFrameRequest, encodeListening, encodeSendFrameResponse } from "./edge-stream.ts";
import { anyBytes, anySafe, delimited, paddedVarintField, soup } from "./test-support/wire-arbitraries.ts";

const anySendFrame = soup(
  fc.oneof(
    anyBytes.map((key) => delimited(0x0a, key)),
    paddedVarintField(0x10, anySafe),
    anyBytes.map((frame) => delimited(0x1a, frame)),
  ),
);

test("decodes what protobuf-es encodes", () => {
  const anyFields = fc.record({ connectionKey: anyBytes, sequence: anySafe, frame: anyBytes });
  fc.assert(
    fc.property(anyFields, (fields) => {
      const message = create(SendFrameRequestSchema, { ...fields, sequence: BigInt(fields.sequence) });
      expect(decodeSendFrameRequest(toBinary(SendFrameRequestSchema, message))).toEqual(fields);
    }),
  );
});

test("says of truncated and odd requests what protobuf-es says, or leaves them to it", () => {
  let decoded = 0;
  fc.assert(
    fc.property(anySendFrame, (bytes) => {
      for (let end = 0; end <= bytes.length; end++) {
        const cut = bytes.slice(0, end);
        const fields = decodeSendFrameRequest(cut);
        if (fields === undefined) continue;
        decoded++;
        const { connectionKey, sequence, frame } = fromBinary(SendFrameRequestSchema, cut);
        expect(fields).toEqual({ connectionKey, sequence: Number(sequence), frame });
      }
    }),
    { numRuns: 30 },
  );
  expect(decoded).toBeGreaterThan(30);
});

test("leaves unknown fields and large numbers to protobuf-es", () => {
  expect(decodeSendFrameRequest(Uint8Array.from([0x20, 1]))).toBeUndefined();
  const large = create(SendFrameRequestSchema, { sequence: 2n ** 53n });
  expect(decodeSendFrameRequest(toBinary(SendFrameRequestSchema, large))).toBeUndefined();
});

test("encodes like protobuf-es", () => {
  fc.assert(
    fc.property(anySafe, fc.boolean(), anyBytes, (nextSequence, repeated, connectionKey) => {
      const response = create(SendFrameResponseSchema, { nextSequence: BigInt(nextSequence), repeated });
      expect(encodeSendFrameResponse(nextSequence, repeated)).toEqual(toBinary(SendFrameResponseSchema, response));
      const event = create(ListeningSchema, { connectionKey });
      expect(encodeListening(connectionKey)).toEqual(toBinary(ListeningSchema, event));
    }),
  );
});
