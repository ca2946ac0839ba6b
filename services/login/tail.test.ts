import { describe, expect, test } from "vitest";
import { Tail } from "./tail.ts";

const due = (tail: Tail, nowMs: number) => tail.takeDue(nowMs).unacked.map((u) => [u.conversationKey, u.seq]);

describe("Tail", () => {
  test("one hint when a push stays unacknowledged, none before, none again", () => {
    const tail = new Tail(64, 300);
    tail.raise("a", 5, 0);
    expect(due(tail, 299)).toEqual([]);
    expect(due(tail, 300)).toEqual([["a", 5]]);
    expect(due(tail, 9_000)).toEqual([]);
    expect(tail.nextDueMs).toBe(Number.POSITIVE_INFINITY);
    expect(tail.unacked()).toEqual([{ conversationKey: "a", seq: 5 }]);
  });

  test("a new raise earns a new hint, the same or an older seq does not", () => {
    const tail = new Tail(64, 300);
    tail.raise("a", 5, 0);
    tail.takeDue(300);
    tail.raise("a", 5, 400);
    tail.raise("a", 4, 400);
    expect(due(tail, 5_000)).toEqual([]);
    tail.raise("a", 6, 5_000);
    expect(due(tail, 5_299)).toEqual([]);
    expect(due(tail, 5_300)).toEqual([["a", 6]]);
  });

  test("pushes in a row do not put the hint off", () => {
    const tail = new Tail(64, 300);
    for (let i = 1; i <= 3; i++) tail.raise("a", i, i * 100);
    expect(due(tail, 400)).toEqual([["a", 3]]);
  });

  test("acknowledgements are cumulative; progress gives new time", () => {
    const tail = new Tail(64, 300);
    tail.raise("a", 5, 0);
    tail.acknowledge("a", 4, 200);
    expect(due(tail, 400)).toEqual([]);
    expect(due(tail, 500)).toEqual([["a", 5]]);
    tail.acknowledge("b", 9, 500);
    tail.acknowledge("a", 7, 500);
    expect(tail.isEmpty).toBe(true);
  });

  test("beyond its size it asks to compare heads, once by hint and until a heartbeat was told", () => {
    const tail = new Tail(2, 300);
    for (const key of ["a", "b", "c", "d"]) tail.raise(key, 1, 0);
    expect(tail.takeDue(300)).toEqual({ unacked: [expect.anything(), expect.anything()], compareHeads: true });
    expect(tail.takeDue(900).compareHeads).toBe(false);
    expect(tail.unacked()).toHaveLength(2);
    tail.acknowledge("a", 1, 900);
    tail.acknowledge("b", 1, 900);
    expect(tail.isEmpty).toBe(false);
    expect(tail.takeOverflow()).toBe(true);
    expect(tail.takeOverflow()).toBe(false);
    expect(tail.isEmpty).toBe(true);
  });
});
