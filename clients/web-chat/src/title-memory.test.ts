import { expect, test } from "vitest";
import { createTitleMemory } from "./title-memory.ts";

function memoryStorage(text?: string): Storage {
  const items = new Map<string, string>(text === undefined ? [] : [["chappe-titles", text]]);
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  } as Storage;
}

test("recalls after a reload what it was told last, and nothing after clear", () => {
  const storage = memoryStorage();
  const memory = createTitleMemory(storage);
  memory.remember("a", "Ann");
  memory.remember("a", "Anna");
  expect(createTitleMemory(storage).recall("a")).toBe("Anna");
  memory.clear();
  expect(memory.recall("a")).toBeUndefined();
  expect(createTitleMemory(storage).recall("a")).toBeUndefined();
});

test("keeps a bounded number", () => {
  const memory = createTitleMemory(memoryStorage());
  let count = 0;
  while (memory.recall(String(count - 1)) !== undefined || count === 0) memory.remember(String(count), `t${count++}`);
  expect(count).toBeLessThan(10_000);
  memory.remember("0", "changed");
  expect(memory.recall("0")).toBe("changed");
});

test.each(["{", "null", "3", '["x"]'])("takes %s for nothing", (text) => {
  expect(createTitleMemory(memoryStorage(text)).recall("x")).toBeUndefined();
});
