import { expect, test } from "vitest";
import { ChappeError } from "../errors/chappe-error.ts";
import { ByteWriter, encodeExact } from "./byte-writer.ts";
import { createPacket, encodePacketBatch } from "./packet.ts";
import { createWriterPool } from "./writer-pool.ts";

test("grows, keeps what was written, and finish answers a copy", () => {
  const writer = new ByteWriter(4);
  for (let i = 0; i < 100; i++) writer.raw(new Uint8Array(37).fill(i));
  const view = writer.view();
  const copy = writer.finish();
  expect(copy).toEqual(view);
  expect(copy).toHaveLength(3_700);
  expect(copy[3_699]).toBe(99);
  expect(writer.length).toBe(0);
  writer.raw(Uint8Array.of(255));
  expect(view[0]).toBe(255);
  expect(copy[0]).toBe(0);
});

test("grows by one byte when it is full to the brim", () => {
  const writer = new ByteWriter(4);
  writer.raw(Uint8Array.of(1, 2, 3, 4));
  writer.raw(Uint8Array.of(5));
  expect(writer.finish()).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
});

test("refuses values that do not fit their field", () => {
  const refused = [{ svid: -1 }, { cmd: 2 ** 32 }, { id: 0.5 }, { timeoutMs: Number.NaN }, { kind: 2 ** 31 }];
  for (const fields of refused) expect(() => encodePacketBatch([createPacket(fields)])).toThrow(ChappeError);
  expect(() => encodePacketBatch([createPacket({ svid: Number.POSITIVE_INFINITY })])).toThrow(ChappeError);
});

test("an encoding longer than its size is an error, not a cut", () => {
  expect(() => encodeExact(1, (writer) => writer.varint(300))).toThrow(ChappeError);
});

test("a pool hands out each writer once, empty, and keeps no more and no larger ones than its bounds", () => {
  const pool = createWriterPool({ maxWriters: 2, maxWriterBytes: 5_000 });
  const writers = [pool.take(), pool.take(), pool.take()];
  writers[0]!.raw(Uint8Array.of(1));
  for (const writer of writers) pool.give(writer);
  expect(pool.take()).toBe(writers[1]);
  const reused = pool.take();
  expect(reused).toBe(writers[0]);
  expect(reused.length).toBe(0);
  expect(writers).not.toContain(pool.take());

  reused.raw(new Uint8Array(10_000));
  pool.give(reused);
  expect(pool.take()).not.toBe(reused);

  const twice = pool.take();
  pool.give(twice);
  pool.give(twice);
  expect(pool.take()).not.toBe(pool.take());
});
