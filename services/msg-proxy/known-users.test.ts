import { expect, it } from "vitest";
import { createKnownUsers } from "./known-users.ts";

it("asks once for all who wait, and remembers who is there", async () => {
  const asked: (readonly bigint[])[] = [];
  const known = createKnownUsers({
    usersById: async (ids) => {
      asked.push(ids);
      await new Promise((resolve) => setImmediate(resolve));
      return ids.filter((id) => id < 100n).map((userId) => ({ userId }) as never);
    },
  });
  const first = [1n, 2n, 1n, 500n].map((id) => known.exists(id));
  await Promise.resolve();
  await Promise.resolve();
  const second = [3n, 1n, 4n, 3n].map((id) => known.exists(id));
  expect(await Promise.all([...first, ...second])).toEqual([true, true, true, false, true, true, true, true]);
  expect(asked).toEqual([
    [1n, 2n, 500n],
    [3n, 1n, 4n],
  ]);
  expect([known.has(4n), known.has(500n)]).toEqual([true, false]);
});

it("tells those who asked that the store failed, and asks again for the next", async () => {
  let fails = true;
  const known = createKnownUsers({
    usersById: async (ids) => {
      if (fails) throw new Error("away");
      return ids.map((userId) => ({ userId }) as never);
    },
  });
  await expect(Promise.all([known.exists(1n), known.exists(2n)])).rejects.toThrow("away");
  fails = false;
  expect(await known.exists(1n)).toBe(true);
});
