import { randomUUIDv7 } from "node:crypto";
import { expect, test } from "vitest";
import { isSampled, rateOf } from "./sampling.ts";
import { partOfConnection, spanIdOf } from "./span-id.ts";
import { checkTraceToken, makeTraceToken } from "./trace-token.ts";

const ids = Array.from({ length: 20_000 }, () => Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex"));

test("the share of messages falls with those they are for, down to 0.1%", () => {
  const rates = [1, 10, 100, 1_000, 10_000, 1_000_000].map((fanOut) => rateOf(fanOut, { direct: 0.1 }));
  expect(rates[0]).toBe(0.1);
  expect(rates[4]).toBe(0.001);
  expect(rates[5]).toBe(0.001);
  for (let i = 1; i < 5; i++) expect(rates[i]!).toBeLessThan(rates[i - 1]!);
  expect(rateOf(100_000, { direct: 0 })).toBe(0);
});

test("the id and the salt decide: the same everywhere, and about as many as the rate says", () => {
  expect(ids.every((id) => isSampled(id, 0.5, 5) === isSampled(id, 0.5, 6))).toBe(false);
  expect(ids.filter((id) => isSampled(id, 0, 5))).toHaveLength(0);
  expect(ids.filter((id) => isSampled(id, 1, 5))).toHaveLength(ids.length);
  const sampled = ids.filter((id) => isSampled(id, 0.1, 5)).length;
  expect(sampled).toBeGreaterThan(1_700);
  expect(sampled).toBeLessThan(2_300);
  // Who is in a small share is in every larger one.
  for (const id of ids) if (isSampled(id, 0.01, 5)) expect(isSampled(id, 0.1, 5)).toBe(true);
});

test("span ids differ by message, hop and part, and are never all zero", () => {
  const spans = new Set<string>();
  for (const id of ids.slice(0, 500))
    for (let hop = 1; hop <= 16; hop++)
      for (const part of [0, 1, partOfConnection(2n ** 63n)]) spans.add(spanIdOf(id, hop, part));
  expect(spans.size).toBe(500 * 16 * 3);
  expect(spanIdOf(new Uint8Array(16), 0, 0)).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
  // The SDK and other releases compute the same: these never change.
  expect(spanIdOf(new Uint8Array(16).fill(7), 1)).toMatchInlineSnapshot(`"131e548dfcd9be61"`);
});

test("a token of support holds until it ends, with its key alone", () => {
  const key = Buffer.alloc(32, 1);
  const token = makeTraceToken(key, 2_000_000);
  expect(checkTraceToken(key, token, 1_999_000)).toBe(true);
  expect(checkTraceToken(key, token, 2_001_000)).toBe(false);
  expect(checkTraceToken(Buffer.alloc(32, 2), token, 0)).toBe(false);
  expect(checkTraceToken(undefined, token, 0)).toBe(false);
  expect(checkTraceToken(key, `${token.slice(0, -2)}AA`, 0)).toBe(false);
});
