import { create, toBinary } from "@bufbuild/protobuf";
import {
  MessageArrivedSchema,
  MessageContentSchema,
  type MessageKind,
  type SendOutcome,
  SendSettledSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { ListMessagesResponseSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteWriter } from "./byte-writer.ts";
import {
  appendTaggedMessage,
  encodeMessageArrived,
  encodeMessagePage,
  encodeSendSettled,
  type MessageParts,
  walkTaggedMessages,
} from "./message-events.ts";
import { anyBytes, anyEnum, anyFixed64, anySafe, concat, delimited, verdict } from "./test-support/wire-arbitraries.ts";

const anyContent = fc.option(
  fc
    .string({ maxLength: 200, unit: "binary" })
    .map((text) => create(MessageContentSchema, { kind: { case: "text", value: { text } } })),
  { nil: undefined },
);
const anyMessage = fc.record({
  seq: anySafe,
  senderId: anyFixed64,
  clientMessageId: anyBytes,
  sentTimeMs: anySafe,
  loggedTimeMs: anySafe,
  kind: anyEnum,
  content: anyContent,
});
type Sample = typeof anyMessage extends fc.Arbitrary<infer T> ? T : never;

const parts = (sample: Sample): MessageParts => ({
  ...sample,
  content: sample.content && toBinary(MessageContentSchema, sample.content),
});
const message = ({ content, ...rest }: Sample) => ({
  ...rest,
  seq: BigInt(rest.seq),
  sentTimeMs: BigInt(rest.sentTimeMs),
  loggedTimeMs: BigInt(rest.loggedTimeMs),
  kind: rest.kind as MessageKind,
  ...(content && { content }),
});
function tagged(samples: readonly Sample[]): Uint8Array {
  const writer = new ByteWriter(1);
  for (const sample of samples) appendTaggedMessage(writer, parts(sample));
  return writer.finish();
}

const anyMessages = fc.array(anyMessage, { maxLength: 4 });
const walk = (bytes: Uint8Array) => verdict("CORRUPT", () => [...walkTaggedMessages(bytes)]);

test("makes MessageArrived and ListMessagesResponse as protobuf-es does", () => {
  fc.assert(
    fc.property(anyBytes, anyMessages, anyMessages, anySafe, anySafe, (conversationId, a, b, headSeq, firstSeq) => {
      const messages = [...a, ...b].map(message);
      expect(encodeMessageArrived(conversationId, concat([tagged(a), tagged(b)]))).toEqual(
        toBinary(MessageArrivedSchema, create(MessageArrivedSchema, { conversationId, messages })),
      );
      const heads = { headSeq: BigInt(headSeq), firstSeq: BigInt(firstSeq) };
      const page = create(ListMessagesResponseSchema, { conversationId, messages, ...heads });
      expect(encodeMessagePage({ conversationId, runs: [tagged(a), tagged(b)], headSeq, firstSeq })).toEqual(
        toBinary(ListMessagesResponseSchema, page),
      );
    }),
  );
});

test("makes SendSettled as protobuf-es does", () => {
  const anySend = fc.record({ clientMessageId: anyBytes, seq: anySafe, outcome: anyEnum, loggedTimeMs: anySafe });
  fc.assert(
    fc.property(anyBytes, fc.array(anySend, { maxLength: 4 }), (conversationId, sends) => {
      const settled = sends.map((send) => ({
        ...send,
        outcome: send.outcome as SendOutcome,
        seq: BigInt(send.seq),
        loggedTimeMs: BigInt(send.loggedTimeMs),
      }));
      expect(encodeSendSettled(conversationId, sends)).toEqual(
        toBinary(SendSettledSchema, create(SendSettledSchema, { conversationId, sends: settled })),
      );
    }),
  );
});

test("walks tagged messages: spans touch and cover the bytes", () => {
  fc.assert(
    fc.property(anyMessages, (samples) => {
      const bytes = tagged(samples);
      const spans = [...walkTaggedMessages(bytes)];
      expect(spans.map(({ seq }) => seq)).toEqual(samples.map(({ seq }) => seq));
      expect(spans.map(({ start, end }) => bytes.slice(start, end))).toEqual(samples.map((sample) => tagged([sample])));
    }),
  );
});

test("finds a seq that is not in front, and 0 when there is none", () => {
  const bytes = concat([delimited(0x12, Uint8Array.of(0x30, 1, 0x08, 7)), delimited(0x12, Uint8Array.of(0x30, 1))]);
  expect([...walkTaggedMessages(bytes)]).toEqual([
    { seq: 7, start: 0, end: 6 },
    { seq: 0, start: 6, end: 10 },
  ]);
});

test("answers garbage, cuts and other fields with CORRUPT", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      walk(bytes);
    }),
    { numRuns: 2_000 },
  );
  const bytes = delimited(0x12, Uint8Array.of(0x08, 7));
  for (let end = 1; end < bytes.length; end++) expect(walk(bytes.slice(0, end))).toBe("rejected");
  expect(walk(concat([bytes, Uint8Array.of(0x18, 1)]))).toBe("rejected");
});
