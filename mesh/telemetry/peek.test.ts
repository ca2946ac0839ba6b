import { create, toBinary } from "@bufbuild/protobuf";
import { MessageArrivedSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeDeliveries } from "../codec/event-deliveries.ts";
import { decodeSendRequest } from "../codec/send-request.ts";
import * as peek from "./peek.ts";

const id16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const text = fc.string({ maxLength: 400 });
const content = (value: string) => ({ kind: { case: "text" as const, value: { text: value } } });

/** Ids that are found in an encoded SendRequest. */
function peekedIds(payload: Uint8Array): Uint8Array[] {
  const ids: Uint8Array[] = [];
  for (let item: number = peek.firstItemAt; item < payload.length; item = peek.nextItem(payload, item)) {
    const at = peek.peekSendId(payload, item);
    if (at < 0) break;
    ids.push(payload.subarray(at, at + 16));
  }
  return ids;
}

test("finds what the decoder finds in a SendRequest", () => {
  fc.assert(
    fc.property(id16, fc.array(fc.tuple(id16, text), { minLength: 1, maxLength: 5 }), (conversationId, items) => {
      const messages = items.map(([clientMessageId, value]) => ({ clientMessageId, content: content(value) }));
      const payload = toBinary(SendRequestSchema, create(SendRequestSchema, { conversationId, messages }));
      const at = peek.peekConversation(payload);
      expect(payload.subarray(at, at + 16)).toEqual(conversationId);
      expect(peekedIds(payload)).toEqual(decodeSendRequest(payload).messages.map((one) => one.clientMessageId));
    }),
  );
});

test("finds the first id in a MessageArrived", () => {
  fc.assert(
    fc.property(id16, id16, fc.bigInt(1n, 2n ** 50n), text, (conversationId, clientMessageId, seq, value) => {
      const messages = [{ seq, senderId: 7n, clientMessageId, content: content(value) }];
      const payload = toBinary(MessageArrivedSchema, create(MessageArrivedSchema, { conversationId, messages }));
      const at = peek.peekArrivedId(payload);
      expect(payload.subarray(at, at + 16)).toEqual(clientMessageId);
    }),
  );
});

test("visits the deliveries of messages, and only those", () => {
  const conversationId = new Uint8Array(16).fill(9);
  const event = { connectionIds: [1n, 2n], svid: 10, cmd: 101, payload: new Uint8Array(300) };
  const deliveries = [
    { ...event, conversationId, lastSeq: 5, firstSeq: 3 },
    event,
    { ...event, conversationId, lastSeq: 6, firstSeq: 6 },
  ];
  const payload = encodeDeliveries(deliveries);
  const seen: [Uint8Array, number, number][] = [];
  const visit: peek.VisitDelivery = (at, first, last) => void seen.push([payload.slice(at, at + 16), first, last]);
  expect(peek.peekDeliveries(payload, visit)).toBe(false);
  expect(seen).toEqual([
    [conversationId, 3, 5],
    [conversationId, 6, 6],
  ]);
  const traced = [{ seq: 5, traceContext: new Uint8Array(55) }];
  expect(peek.peekDeliveries(encodeDeliveries([{ ...deliveries[0]!, traced }]), visit)).toBe(true);
});

test("ends on any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (garbage, prefixed) => {
      const payload = prefixed ? Uint8Array.from([0x0a, 0x10, ...new Uint8Array(16), ...garbage]) : garbage;
      peekedIds(payload);
      peek.peekArrivedId(payload);
      peek.peekDeliveries(payload, () => {});
    }),
    { numRuns: 2_000 },
  );
});
