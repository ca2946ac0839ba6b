import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { DeliveryAckSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { PacketBatchSchema, PacketKind, PacketSchema } from "@chappe/gen/proto/chappe/mesh/v1/packet_pb.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "./byte-writer.ts";
import { addresses, encodeAck, encodeRequest, forEachPacket, PacketView } from "./packets.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("packets", () => {
  it("are at addresses that the contracts know", () => {
    const contracts = createContracts();
    for (const { svid, cmd } of Object.values(addresses))
      expect(contracts.method(svid, cmd) ?? contracts.event(svid, cmd), `${svid}/${cmd}`).toBeDefined();
  });

  it("encode a request as protobuf-es reads it", () => {
    const packet = fromBinary(PacketSchema, encodeRequest(addresses.send, 300, bytes(1, 2), bytes(9)));
    expect(packet).toMatchObject({ kind: PacketKind.REQUEST, svid: 10, cmd: 1, id: 300 });
    expect([...packet.payload, ...packet.affinity]).toEqual([1, 2, 9]);
  });

  it("encode acks as protobuf-es reads them", () => {
    const encoded = encodeAck([
      [bytes(1), 5],
      [bytes(2), 2 ** 40],
    ]);
    const packet = fromBinary(PacketSchema, encoded);
    expect(packet.kind).toBe(PacketKind.ACK);
    const { acks } = fromBinary(DeliveryAckSchema, packet.payload);
    expect(acks.map(({ seq }) => seq)).toEqual([5n, 2n ** 40n]);
  });

  it("read a batch of protobuf-es, each field anew for each packet", () => {
    const packets = [
      create(PacketSchema, { kind: PacketKind.PUSH, svid: 10, cmd: 101, payload: bytes(1, 2, 3) }),
      create(PacketSchema, { kind: PacketKind.RESPONSE, id: 70_000, traceContext: bytes(4), timeoutMs: 7 }),
    ];
    const batch = Buffer.from(toBinary(PacketBatchSchema, create(PacketBatchSchema, { packets })));
    const padded = Buffer.concat([Buffer.from([0xff]), batch, Buffer.from([0xff])]);
    const seen: unknown[] = [];
    forEachPacket(padded, 1, padded.length - 1, new PacketView(), (packet, buffer) => {
      const { kind, svid, cmd, id } = packet;
      seen.push({ kind, svid, cmd, id, payload: [...buffer.subarray(packet.start, packet.end)] });
    });
    expect(seen).toEqual([
      { kind: 4, svid: 10, cmd: 101, id: 0, payload: [1, 2, 3] },
      { kind: 2, svid: 0, cmd: 0, id: 70_000, payload: [] },
    ]);
  });

  it.each([
    ["a field that is too long", bytes(0x0a, 5, 1)],
    ["a number without an end", bytes(0x08, 0x80)],
    ["a wire type that does not exist", bytes(0x0b)],
  ])("throw on %s", (_, broken) => {
    const read = (): PacketView => new PacketView().read(Buffer.from(broken), 0, broken.length);
    expect(read).toThrow(RangeError);
  });

  it("write numbers up to 2^53 as varints", () => {
    const encoded = new ByteWriter(1)
      .number(1, 0)
      .number(2, 2 ** 53 - 1)
      .fixed64(3, 2n ** 63n)
      .finish();
    expect(encoded.toString("hex")).toBe("10ffffffffffffff0f190000000000000080");
  });
});
