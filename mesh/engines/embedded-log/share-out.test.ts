import { describe, expect, test } from "vitest";
import { shareOut } from "./share-out.ts";

const counts = (shares: readonly (readonly number[])[]): number[] => shares.map((share) => share.length);
const all = (shares: readonly (readonly number[])[]): number[] => shares.flat().sort((a, b) => a - b);

describe("shareOut", () => {
  test("the first member gets everything, nobody gets nothing", () => {
    expect(shareOut(4, [[]])).toEqual([[0, 1, 2, 3]]);
    expect(shareOut(4, [])).toEqual([]);
  });

  test("each partition has one owner and counts differ by at most one, for any number of members", () => {
    let shares: number[][] = [];
    for (let members = 1; members <= 20; members++) {
      shares = shareOut(16, [...shares, []]);
      expect(all(shares)).toEqual(Array.from({ length: 16 }, (_, i) => i));
      expect(Math.max(...counts(shares)) - Math.min(...counts(shares))).toBeLessThanOrEqual(1);
    }
  });

  test("a newcomer takes only what it needs", () => {
    const shares = shareOut(6, [[0, 1, 2], [3, 4, 5], []]);
    expect(counts(shares)).toEqual([2, 2, 2]);
    expect(shares[0]).toEqual([0, 1]);
    expect(shares[1]).toEqual([3, 4]);
    expect(shares[2]).toEqual([2, 5]);
  });
});
