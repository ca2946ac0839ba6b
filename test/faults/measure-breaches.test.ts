import { expect, test } from "vitest";
import type { HistoryEvent } from "../history/history-event.ts";
import { measureBreaches } from "./measure-breaches.ts";

const second = 1_000_000;
const joined = (user: string, seq: number): HistoryEvent => ({
  ...{ kind: "joined", timeUs: 0, conversation: "c", onLog: false },
  user,
  seq,
});
const sent = (id: string, at: number): HistoryEvent => ({
  ...{ kind: "invoke", user: "a", device: "d", conversation: "c", body: 1 },
  id,
  timeUs: at * second,
});
const shown = (id: string, user: string, at: number): HistoryEvent => ({
  ...{ kind: "receive", device: "d", conversation: "c", user },
  message: { seq: 1, id, sender: "a", body: 1, system: false },
  timeUs: at * second,
});

test("the last late message after each harm counts, not those in time, before it or of later members", () => {
  const events = [
    ...[joined("a", 1), joined("b", 1), joined("late", 5)],
    ...[sent("early", 1), shown("early", "b", 8), sent("first", 9), shown("first", "b", 13)],
    ...[sent("second", 12), shown("second", "late", 19), shown("second", "b", 12.9)],
    ...[sent("third", 20), shown("third", "b", 20.5)],
  ];
  const kills = [10, 18, 30].map((at) => ({ startUs: at * second }));
  expect(measureBreaches(events, kills)).toEqual([3_000, 0, 0]);
});
