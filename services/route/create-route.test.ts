import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { type Backend, type Call, noBytes } from "@chappe/mesh/rpc/call.ts";
import { createContracts } from "@chappe/mesh/rpc/contracts.ts";
import { type Identity, internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { describe, expect, it } from "vitest";
import { createRoute } from "./create-route.ts";

const user: Identity = { kind: "user", userId: 7n, sessionId: 1n, deviceId: 2n };
const callOf = (patch: Partial<Call> = {}): Call => ({
  svid: 10,
  cmd: 1,
  payload: noBytes,
  identity: user,
  affinity: noBytes,
  deadlineMs: 2_000,
  traceContext: noBytes,
  ...patch,
});
const answering = (svid: number, byte: number): Backend => ({ svid, handle: async () => Uint8Array.of(byte) });
const start = () => {
  const directory = createMemoryDirectory();
  return { directory, route: createRoute({ contracts: createContracts(), directory, now: () => 1_000 }) };
};
const affinities = Array.from({ length: 300 }, (_, i) => Uint8Array.of(i, i >> 8, 5, 9));

describe("route", () => {
  it("takes a call to the backend of its SVID, and enters and leaves the directory", async () => {
    const { route, directory } = start();
    const detach = await route.attach(answering(10, 1));
    expect(await directory.list("svid:10")).toHaveLength(1);
    expect(await route.call(callOf())).toEqual(Uint8Array.of(1));
    await detach();
    expect(await directory.list("svid:10")).toHaveLength(0);
    await expect(route.call(callOf())).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
  });

  it.each([
    ["an unknown command", "UNKNOWN_METHOD", { cmd: 99 }],
    ["an unknown SVID", "UNKNOWN_METHOD", { svid: 9_999 }],
    ["a user at an internal method", "UNKNOWN_METHOD", { cmd: 3 }],
    ["a deadline that is over", "DEADLINE_EXCEEDED", { deadlineMs: 1_000 }],
    ["a caller that gave up", "CANCELLED", { signal: AbortSignal.abort() }],
  ])("refuses %s before any backend", async (_name, name, patch) => {
    const { route } = start();
    await route.attach({ svid: 10, handle: () => Promise.reject(new Error("the backend was called")) });
    await expect(route.call(callOf(patch))).rejects.toMatchObject({ row: { name } });
  });

  it("lets modules call internal methods", async () => {
    const { route } = start();
    await route.attach(answering(10, 1));
    expect(await route.call(callOf({ cmd: 3, identity: internalIdentity }))).toEqual(Uint8Array.of(1));
  });

  it("keeps an affinity on one backend, and moves only the share of one that goes", async () => {
    const { route } = start();
    const detachers = await Promise.all([1, 2, 3].map((n) => route.attach(answering(10, n), `b${n}`)));
    const place = () => Promise.all(affinities.map(async (affinity) => (await route.call(callOf({ affinity })))[0]));
    const before = await place();
    expect(await place()).toEqual(before);
    expect(new Set(before).size).toBe(3);
    await detachers[2]!();
    const after = await place();
    expect(after.filter((backend, i) => backend !== before[i] && before[i] !== 3)).toEqual([]);
  });

  it("gives a call without affinity to the backend with the fewest in flight", async () => {
    const { route } = start();
    const seen: number[] = [];
    const stuck = (n: number): Backend => ({
      svid: 10,
      handle() {
        seen.push(n);
        return new Promise<never>(() => {});
      },
    });
    await route.attach(stuck(1), "b1");
    await route.attach(stuck(2), "b2");
    for (let i = 0; i < 6; i++) void route.call(callOf());
    expect(seen.toSorted()).toEqual([1, 1, 1, 2, 2, 2]);
  });

  it("refuses a second backend with the same id", async () => {
    const { route } = start();
    await route.attach(answering(10, 1));
    await expect(route.attach(answering(10, 2))).rejects.toThrow("attached");
  });

  it("counts its calls by what became of them, each with its time", async () => {
    const { route } = start();
    await expect(route.call(callOf())).rejects.toMatchObject({ row: { name: "UNAVAILABLE" } });
    await expect(route.call(callOf({ cmd: 99 }))).rejects.toMatchObject({ row: { name: "UNKNOWN_METHOD" } });
    const detach = await route.attach(answering(10, 1));
    await route.call(callOf());
    await route.call(callOf());
    await detach();
    await route.attach({ svid: 10, handle: () => Promise.reject(new Error("broken")) });
    await expect(route.call(callOf())).rejects.toThrow("broken");
    expect(route.stats()).toMatchObject({ answered: 2, failed: 1, refused: 1, unserved: 1, time: { count: 3 } });
  });
});
