import { expect, test } from "vitest";
import { limits } from "../limits.ts";
import { decodeDeliveryAck } from "./delivery-ack.ts";
import { decodePacketBatch } from "./packet.ts";
import { concat, delimited, varint, verdict } from "./test-support/wire-arbitraries.ts";

const packet = (...parts: Uint8Array[]) => {
  const packets = verdict("MALFORMED_FRAME", () => decodePacketBatch(delimited(0x0a, concat(parts))));
  return packets === "rejected" ? packets : packets[0];
};
const ackSeq = (value: Uint8Array) => {
  const ack = delimited(0x0a, concat([Uint8Array.of(0x10), value]));
  const acks = verdict("MALFORMED_FRAME", () => decodeDeliveryAck(ack));
  return acks === "rejected" ? acks : acks[0]?.seq;
};
const svid = Uint8Array.of(0x10);

test("takes varints of up to ten bytes", () => {
  for (let length = 1; length <= 10; length++) expect(packet(svid, varint(5, length))).toMatchObject({ svid: 5 });
  expect(packet(svid, varint(5, 11))).toBe("rejected");
  expect(packet(varint(16 * 8, 2), varint(5, 11))).toBe("rejected");
});

test("drops the upper bits of a uint32 and of an enum", () => {
  expect(packet(svid, varint(2n ** 40n + 7n))).toMatchObject({ svid: 7 });
  expect(packet(Uint8Array.of(0x08), varint(2n ** 64n - 2n))).toMatchObject({ kind: -2 });
});

test("takes numbers up to 2^53 - 1", () => {
  expect(ackSeq(varint(2n ** 53n - 1n))).toBe(Number.MAX_SAFE_INTEGER);
  expect(ackSeq(varint(2n ** 53n - 1n, 10))).toBe(Number.MAX_SAFE_INTEGER);
  for (const value of [2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n]) expect(ackSeq(varint(value))).toBe("rejected");
});

test("rejects lengths beyond the input or the message around it", () => {
  const payload = Uint8Array.of(0x7a);
  for (const length of [4, 5, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 3, 2 ** 53]) {
    expect(packet(payload, varint(length), Uint8Array.of(1, 2, 3))).toBe("rejected");
    expect(packet(varint(16 * 8 + 2), varint(length), Uint8Array.of(1, 2, 3))).toBe("rejected");
  }
  const overrun = concat([Uint8Array.of(0x0a, 2, 0x10, 0x80), Uint8Array.of(0x01)]);
  expect(verdict("MALFORMED_FRAME", () => decodeDeliveryAck(overrun))).toBe("rejected");
  const longId = concat([Uint8Array.of(0x0a, 2, 0x0a, 2), Uint8Array.of(0x1a, 0)]);
  expect(verdict("MALFORMED_FRAME", () => decodeDeliveryAck(longId))).toBe("rejected");
});

test("rejects illegal tags", () => {
  const illegal = {
    "number 0": [0x02, 0],
    "wire type 6": [0x86, 1],
    "wire type 7": [0x87, 1],
    "stray end group": [0x84, 1],
  };
  for (const [name, bytes] of Object.entries(illegal)) expect(packet(Uint8Array.from(bytes)), name).toBe("rejected");
  expect(packet(varint(2n ** 32n + 8n), Uint8Array.of(1)), "over 32 bits").toBe("rejected");
  expect(packet(varint(0x10, 6), Uint8Array.of(1)), "six bytes").toBe("rejected");
  expect(packet(varint(0x10, 5), Uint8Array.of(1)), "five bytes").toMatchObject({ svid: 1 });
});

test("skips groups, checks their end and bounds their depth", () => {
  const start = varint(16 * 8 + 3);
  const end = varint(16 * 8 + 4);
  const nested = (depth: number) => [...Array(depth).fill(start), ...Array(depth).fill(end)] as Uint8Array[];
  expect(packet(...nested(limits.maxGroupDepth), svid, varint(3))).toMatchObject({ svid: 3 });
  expect(packet(...nested(limits.maxGroupDepth + 1))).toBe("rejected");
  expect(packet(start)).toBe("rejected");
  expect(packet(start, varint(17 * 8 + 4))).toBe("rejected");
  expect(packet(start, svid, varint(1), end)).toMatchObject({ svid: 0 });
});
