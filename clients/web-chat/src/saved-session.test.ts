import { expect, test } from "vitest";
import { loadSession, saveSession } from "./saved-session.ts";

function memoryStorage(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  } as Storage;
}

test("keeps tokens, large ids included, and forgets them", () => {
  const storage = memoryStorage();
  const tokens = { userId: 9_007_199_254_740_993n, accessToken: "a", accessExpiresTimeMs: 5, refreshToken: "r" };
  saveSession(storage, tokens);
  expect(loadSession(storage)).toEqual(tokens);
  saveSession(storage, undefined);
  expect(loadSession(storage)).toBeUndefined();
});

test.each(["{", "null", "3", '{"userId":"x","refreshToken":"r"}'])("takes %s for no session", (text) => {
  const storage = memoryStorage();
  storage.setItem("chappe-session", text);
  expect(loadSession(storage)).toBeUndefined();
});
