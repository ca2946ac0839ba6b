import { describe, expect, test } from "vitest";
import { ReplayWindow } from "./replay-window.ts";

describe("ReplayWindow", () => {
  test("takes each counter once, in any order within its reach", () => {
    const window = new ReplayWindow(64);
    for (const counter of [5n, 3n, 9n, 0n, 40n, 39n]) {
      expect(window.isFresh(counter)).toBe(true);
      window.take(counter);
      expect(window.isFresh(counter)).toBe(false);
    }
    expect(window.isFresh(4n)).toBe(true);
  });

  test("what is older than its reach counts as come", () => {
    const window = new ReplayWindow(64);
    window.take(100n);
    expect(window.isFresh(37n)).toBe(true);
    expect(window.isFresh(36n)).toBe(false);
  });

  test("places are free again when the window has moved on", () => {
    const window = new ReplayWindow(64);
    for (let counter = 0n; counter < 64n; counter++) window.take(counter);
    window.take(70n);
    expect([64n, 65n, 69n].map((counter) => window.isFresh(counter))).toEqual([true, true, true]);
    expect([7n, 63n, 70n].map((counter) => window.isFresh(counter))).toEqual([false, false, false]);
    window.take(10_000n);
    expect(window.isFresh(9_999n)).toBe(true);
  });

  test("says which one is the newest", () => {
    const window = new ReplayWindow(64);
    expect([1n, 5n, 3n, 6n].map((counter) => window.take(counter))).toEqual([true, true, false, true]);
  });
});
