import { createMemoryBusinessStore } from "@chappe/mesh/engines/memory-stores/create-memory-business-store.ts";
import { expect, test } from "vitest";
import { readConfig } from "./config.ts";
import { openHotWindow } from "./open-hot-window.ts";

const nowhere = "127.0.0.1:1";
const mysql = { CHAPPE_MYSQL_URL: "mysql://user@127.0.0.1:3306/chappe" };
const redis = { CHAPPE_REDIS_ADDRESSES: nowhere };
const named = { CHAPPE_HOT_WINDOW_ADDRESSES: nowhere };

test.each([
  ["the embedded store alone", {}, false],
  ["the embedded store beside Redis for presence", redis, false],
  ["the embedded store and a Redis for the window", named, true],
  ["MySQL alone", mysql, false],
  ["MySQL and Redis", { ...mysql, ...redis }, true],
  ["MySQL and a Redis for the window", { ...mysql, ...named }, true],
  ["no messages of a conversation", { ...mysql, ...redis, CHAPPE_HOT_WINDOW_MESSAGES: "0" }, false],
  ["a process that only takes connections", { ...mysql, ...redis, CHAPPE_ROLES: "login" }, false],
])("%s: a window is there or not", async (_name, env, isThere) => {
  const business = createMemoryBusinessStore();
  const window = await openHotWindow(readConfig([], env), business);
  expect(window !== undefined).toBe(isThere);
  await window?.close();
  await business.close();
});

test.each([
  ["CHAPPE_HOT_WINDOW_MESSAGES", "-1", "hotWindowMessages"],
  ["CHAPPE_HOT_WINDOW_BYTES", "10", "hotWindowBytes"],
  ["CHAPPE_HOT_WINDOW_DAYS", "0", "hotWindowDays"],
])("%s=%s is refused by its name", (variable, value, field) => {
  expect(() => readConfig([], { [variable]: value })).toThrow(field);
});
