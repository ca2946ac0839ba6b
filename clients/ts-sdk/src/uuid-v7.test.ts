import { expect, test } from "vitest";
import { toHex } from "./ids.ts";
import { createIdClock, uuidV7TimeMs } from "./uuid-v7.ts";

test("ids carry version, variant and the server's time", () => {
  const ids = createIdClock(() => 1_000);
  ids.sync(1_700_000_000_123);
  const id = ids.nextId();
  expect(id[6]! >> 4).toBe(7);
  expect(id[8]! >> 6).toBe(2);
  expect(uuidV7TimeMs(id)).toBe(1_700_000_000_123);
});

test("ids rise, however many a millisecond has and though the clock goes back a little", () => {
  let now = 50_000;
  const ids = createIdClock(() => now);
  const made = Array.from({ length: 10_000 }, (_, index) => {
    if (index === 5_000) now -= 20;
    return toHex(ids.nextId());
  });
  expect(made).toEqual([...made].sort());
  expect(new Set(made).size).toBe(10_000);
});

test("a clock that was far ahead leaves no mark once it is corrected", () => {
  const ids = createIdClock(() => 4_000_000_000_000);
  ids.nextId();
  ids.sync(1_700_000_000_000);
  expect(uuidV7TimeMs(ids.nextId())).toBe(1_700_000_000_000);
});
