import { expect, test } from "vitest";
import { dayName, initials, listTime, sameDay } from "./format.ts";

const at = (day: number, hour: number): number => new Date(2026, 4, day, hour).getTime();

test("names days as people do", () => {
  expect(dayName(at(10, 0), at(10, 23))).toBe("Today");
  expect(dayName(at(9, 23), at(10, 0))).toBe("Yesterday");
  expect(dayName(at(8, 23), at(10, 0), "en")).toBe("May 8, 2026");
});

test("shows the hour of today and the date of other days", () => {
  expect(listTime(at(10, 8), at(10, 23), "en-GB")).toBe("08:00");
  expect(listTime(at(9, 8), at(10, 23), "en-GB")).toBe("9 May");
  expect(listTime(0, at(10, 23))).toBe("");
  expect(sameDay(at(10, 0), at(10, 23))).toBe(true);
  expect(sameDay(at(9, 23), at(10, 0))).toBe(false);
});

test("makes initials of any name", () => {
  expect(initials("ada lovelace king")).toBe("AL");
  expect(initials("🦀 crab")).toBe("🦀C");
  expect(initials("  ")).toBe("?");
});
