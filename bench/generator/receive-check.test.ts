import { create, toBinary } from "@bufbuild/protobuf";
import { MessageArrivedSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { expect, it } from "vitest";
import { PacketView } from "../support/packets.ts";
import { ReceiveCheck } from "./receive-check.ts";
import { TrafficMeter } from "./traffic-meter.ts";

function setUp() {
  const seen: number[] = [];
  const check = new ReceiveCheck(0, new TrafficMeter(), (counter) => seen.push(counter));
  const push = (...seqs: number[]): void => {
    const messages = seqs.map((seq) => {
      const clientMessageId = Buffer.alloc(16);
      clientMessageId.writeUInt32BE(seq * 100, 12);
      const content = { kind: { case: "text", value: { text: "hello" } } } as const;
      return { seq: BigInt(seq), senderId: 5n, clientMessageId, sentTimeMs: 7n, content };
    });
    const event = create(MessageArrivedSchema, { conversationId: new Uint8Array(16), messages });
    const payload = Buffer.from(toBinary(MessageArrivedSchema, event));
    const view = new PacketView();
    view.end = payload.length;
    check.take(view, payload);
  };
  return { seen, check, push };
}

it("hands on each message once, in order", () => {
  const { seen, check, push } = setUp();
  push(1, 2);
  push(2, 3);
  push(1);
  expect(seen).toEqual([100, 200, 300]);
  expect(check.seq).toBe(3);
});

it.each([[[2]], [[1, 3]], [[1, 2, 4]]])("throws on the hole in %j", (seqs) => {
  const { push } = setUp();
  expect(() => push(...seqs)).toThrow("wrong order");
});
