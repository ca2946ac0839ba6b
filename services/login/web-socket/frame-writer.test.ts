import { decodePacketBatch, encodePacketBatch, type Packet, packetSize } from "@chappe/mesh/codec/packet.ts";
import { delimitedSize } from "@chappe/mesh/codec/wire-size.ts";
import { noBytes } from "@chappe/mesh/rpc/call.ts";
import { describe, expect, test } from "vitest";
import { type Outgoing, SharedPacket } from "../transport.ts";
import { createFrameWriter, frameHeader } from "./frame-writer.ts";

const packetOf = (payloadBytes: number, id = 7): Packet => ({
  kind: 2,
  svid: 20,
  cmd: 3,
  id,
  affinity: noBytes,
  timeoutMs: 0,
  traceContext: noBytes,
  payload: new Uint8Array(payloadBytes).fill(9),
});
const sizeOf = (packets: Packet[]): number => packets.reduce((sum, p) => sum + delimitedSize(packetSize(p)), 0);

describe("frameHeader", () => {
  test.each([
    [0, [0x82, 0]],
    [125, [0x82, 125]],
    [126, [0x82, 126, 0, 126]],
    [0xffff, [0x82, 126, 0xff, 0xff]],
    [0x10000, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
    [0x1_0000_0002, [0x82, 127, 0, 0, 0, 1, 0, 0, 0, 2]],
  ])("of %i bytes", (bytes, header) => {
    expect([...frameHeader(bytes)]).toEqual(header);
  });
});

describe("FrameWriter", () => {
  test.each([[1], [200], [70_000]])("one packet of %i bytes", (bytes) => {
    const packet = packetOf(bytes);
    const frame = createFrameWriter().frame(packet, undefined, sizeOf([packet]));
    const batch = Buffer.from(encodePacketBatch([packet]));
    expect(frame.equals(Buffer.concat([frameHeader(batch.length), batch]))).toBe(true);
  });

  test("packets and shared packets make one batch in order", () => {
    const packets = [packetOf(5, 1), packetOf(300, 2), packetOf(1, 3)];
    const mixed: Outgoing[] = [packets[0]!, new SharedPacket(packets[1]!, true), packets[2]!];
    const frame = createFrameWriter().frame(mixed[0]!, mixed.slice(1), sizeOf(packets));
    expect(decodePacketBatch(frame.subarray(4)).map((packet) => packet.id)).toEqual([1, 2, 3]);
  });

  test("connections with the same shared packets share the frame, others do not", () => {
    const writer = createFrameWriter();
    const packets = [packetOf(5, 1), packetOf(6, 2), packetOf(7, 3)];
    const [a, b, c] = packets.map((packet) => new SharedPacket(packet, true));
    expect(writer.frame(a!, undefined, sizeOf([packets[0]!]))).toBe(writer.frame(a!, undefined, sizeOf([packets[0]!])));
    const pair = writer.frame(a!, [b!], sizeOf(packets.slice(0, 2)));
    expect(writer.frame(a!, [b!], sizeOf(packets.slice(0, 2)))).toBe(pair);
    const other = writer.frame(a!, [c!], sizeOf([packets[0]!, packets[2]!]));
    expect(decodePacketBatch(other.subarray(2)).map((packet) => packet.id)).toEqual([1, 3]);
    const longer = writer.frame(a!, [c!, b!], sizeOf(packets));
    expect(decodePacketBatch(longer.subarray(2)).map((packet) => packet.id)).toEqual([1, 3, 2]);
  });

  test("a frame once made is not touched by the next", () => {
    const writer = createFrameWriter();
    const first = writer.frame(packetOf(50, 1), undefined, sizeOf([packetOf(50, 1)]));
    const copy = Buffer.from(first);
    writer.frame(packetOf(50, 2), undefined, sizeOf([packetOf(50, 2)]));
    expect(first.equals(copy)).toBe(true);
  });
});
