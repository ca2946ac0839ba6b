import { fromBinary } from "@bufbuild/protobuf";
import { PacketSchema } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { isUuidV7, uuidV7TimeMs } from "@chappe/mesh/ids/uuid-v7.ts";
import { describe, expect, it } from "vitest";
import type { MeshConnection } from "../support/mesh-connection.ts";
import { SendLane } from "./send-lane.ts";
import { TrafficMeter } from "./traffic-meter.ts";

/** A lane whose packets land in a list instead of a socket. */
function setUp(window: number, receivers = 1) {
  const sent: { callId: number; counter: number; id: Buffer; text: string }[] = [];
  const append = (bytes: Uint8Array): void => {
    const packet = fromBinary(PacketSchema, bytes);
    const { conversationId, messages } = fromBinary(SendRequestSchema, packet.payload);
    expect([packet.svid, packet.cmd, packet.affinity, messages.length]).toEqual([10, 1, conversationId, 1]);
    const id = Buffer.from(messages[0]!.clientMessageId);
    const kind = messages[0]!.content!.kind;
    const text = kind.case === "text" ? kind.value.text : "";
    sent.push({ callId: packet.id, counter: id.readUInt32BE(12), id, text });
  };
  const connection = { append, clockOffsetMs: 5_000 } as unknown as MeshConnection;
  const meter = new TrafficMeter();
  const lane = new SendLane({
    connection,
    conversationId: new Uint8Array(16),
    textBytes: 100,
    window,
    receivers,
    meter,
  });
  return { lane, sent };
}

describe("SendLane", () => {
  it("sends whole requests with fresh ids in the server's time", () => {
    const { lane, sent } = setUp(3);
    const beforeMs = Date.now();
    lane.start(0);
    expect(sent.length).toBe(3);
    expect(new Set(sent.map(({ id }) => id.toString("hex"))).size).toBe(3);
    for (const { id, text } of sent) {
      expect(text.length).toBe(100);
      expect(isUuidV7(id)).toBe(true);
      expect(uuidV7TimeMs(id)).toBeGreaterThanOrEqual(beforeMs + 5_000);
    }
  });

  it("starts the next message only when the ack and every delivery are there", () => {
    const { lane, sent } = setUp(1, 2);
    lane.start(0);
    const [first] = sent;
    lane.onDelivered(first!.counter, 1);
    lane.onAck(first!.callId, 1);
    expect(sent.length).toBe(1);
    lane.onDelivered(first!.counter, 2);
    expect(sent.length).toBe(2);
    lane.stop();
    for (const { counter, callId } of sent.slice(1)) {
      lane.onAck(callId, 3);
      lane.onDelivered(counter, 3);
      lane.onDelivered(counter, 3);
    }
    expect([sent.length, lane.unfinished]).toEqual([2, 0]);
  });

  it("goes around a straggler", () => {
    const { lane, sent } = setUp(2);
    lane.start(0);
    const straggler = sent[0]!.callId;
    for (let i = 1; i < 1_000; i++) {
      expect(sent[i]!.callId).not.toBe(straggler);
      lane.onAck(sent[i]!.callId, 1);
      lane.onDelivered(sent[i]!.counter, 1);
    }
    expect(lane.unfinished).toBe(2);
  });

  it("keeps what is due while every place is taken", () => {
    const { lane, sent } = setUp(1);
    for (let i = 0; i < 300; i++) lane.offer(i);
    expect([sent.length, lane.unfinished]).toEqual([256, 300]);
    for (let i = 0; i < 300; i++) {
      lane.onAck(sent[i]!.callId, 1);
      lane.onDelivered(sent[i]!.counter, 1);
    }
    expect([sent.length, lane.unfinished]).toEqual([300, 0]);
  });
});
