import { randomUUIDv7 } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createIdFilter } from "./id-filter.ts";

const bytesOf = (uuid: string): Uint8Array => Uint8Array.from(Buffer.from(uuid.replaceAll("-", ""), "hex"));
const freshId = (): Uint8Array => bytesOf(randomUUIDv7());
const idAt = (timeMs: number): Uint8Array => {
  const id = freshId();
  new DataView(id.buffer).setUint16(0, Math.floor(timeMs / 0x1_0000_0000));
  new DataView(id.buffer).setUint32(2, timeMs % 0x1_0000_0000);
  return id;
};

describe("id filter", () => {
  it("answers maybe for everything before it was reset", () => {
    expect(createIdFilter().mayContain(freshId())).toBe(true);
  });

  it("never rules out an id that was added", () => {
    const filter = createIdFilter();
    filter.reset(Date.now() - 600_000);
    const ids = Array.from({ length: 20_000 }, freshId);
    for (const id of ids) filter.add(id);
    expect(ids.every((id) => filter.mayContain(id))).toBe(true);
  });

  it("rules out most ids that were not added", () => {
    const filter = createIdFilter();
    filter.reset(Date.now() - 600_000);
    for (let i = 0; i < 20_000; i++) filter.add(freshId());
    const maybe = Array.from({ length: 20_000 }, freshId).filter((id) => filter.mayContain(id)).length;
    expect(maybe).toBeLessThan(200);
  });

  it("answers maybe for ids older than it is complete", () => {
    const filter = createIdFilter();
    const now = Date.now();
    filter.reset(now - 600_000);
    expect(filter.mayContain(idAt(now - 700_000))).toBe(true);
    expect(filter.mayContain(idAt(now - 300_000))).toBe(false);
  });

  it("answers maybe for ids whose minute it had to drop", () => {
    const filter = createIdFilter({ minutes: 3 });
    const now = Date.now();
    filter.reset(now - 3_600_000);
    const old = idAt(now - 600_000);
    filter.add(old);
    for (let minute = 4; minute >= 0; minute--) filter.add(idAt(now - minute * 60_000));
    expect(filter.mayContain(old)).toBe(true);
    expect(filter.mayContain(idAt(now - 600_000))).toBe(true);
  });
});
