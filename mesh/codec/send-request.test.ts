import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { RawSendRequestSchema } from "@chappe/gen/proto/chappe/mesh/v1/raw_send_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeSendRequest } from "./send-request.ts";
import { anyBytes, delimited, referenceVerdict, soup, verdict } from "./test-support/wire-arbitraries.ts";

const anyMessage = soup(
  fc.oneof(
    anyBytes.map((id) => delimited(0x0a, id)),
    anyBytes.map((content) => delimited(0x12, content)),
  ),
);
const anyRequest = soup(
  fc.oneof(
    anyBytes.map((id) => delimited(0x0a, id)),
    anyMessage.map((message) => delimited(0x12, message)),
  ),
);
const reference = (bytes: Uint8Array) => {
  const { conversationId, messages } = fromBinary(RawSendRequestSchema, bytes);
  return {
    conversationId,
    messages: messages.map(({ clientMessageId, content }) => ({ clientMessageId, content })),
  };
};
const decode = (bytes: Uint8Array) => verdict("MALFORMED_PAYLOAD", () => decodeSendRequest(bytes));

test("decodes what protobuf-es encodes", () => {
  const anyFields = fc.record({
    conversationId: anyBytes,
    messages: fc.array(fc.record({ clientMessageId: anyBytes, content: anyBytes }), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(anyFields, (fields) => {
      expect(decodeSendRequest(toBinary(RawSendRequestSchema, create(RawSendRequestSchema, fields)))).toEqual(fields);
    }),
  );
});

test("decodes and judges truncations like protobuf-es", () => {
  fc.assert(
    fc.property(anyRequest, (bytes) => {
      for (let end = 0; end <= bytes.length; end++) {
        const cut = bytes.slice(0, end);
        expect(decode(cut)).toEqual(referenceVerdict(() => reference(cut)));
      }
    }),
    { numRuns: 30 },
  );
});

test("answers garbage with a request or MALFORMED_PAYLOAD, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      decode(bytes);
    }),
    { numRuns: 2_000 },
  );
});
