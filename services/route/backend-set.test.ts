import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { type Backend, type Call, noBytes } from "@chappe/mesh/rpc/call.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { beforeEach, expect, it } from "vitest";
import { BackendSet } from "./backend-set.ts";

let nowMs = 0;
let set: BackendSet;
let asked: string[];
beforeEach(() => {
  nowMs = 1_000_000;
  set = new BackendSet(() => nowMs);
  asked = [];
});

const callOf = (timeoutMs = 5_000): Call => ({
  svid: 1_000,
  cmd: 1,
  payload: noBytes,
  identity: internalIdentity,
  affinity: noBytes,
  deadlineMs: nowMs + timeoutMs,
  traceContext: noBytes,
});

/** Adds a backend that answers its name, or fails with this error as long as `failing` holds. */
function add(id: string, error?: ConstructorParameters<typeof ChappeError>[0]): { failing: boolean } {
  const state = { failing: error !== undefined };
  const backend: Backend = {
    svid: 1_000,
    async handle() {
      asked.push(id);
      if (state.failing) throw new ChappeError(error!);
      return Buffer.from(id);
    },
  };
  set.add(id, backend, true);
  return state;
}

const answerOf = async (call: Promise<Uint8Array>): Promise<string> =>
  call.then(
    (bytes) => Buffer.from(bytes).toString(),
    (error: ChappeError) => error.row.name,
  );

it("tries an idempotent call elsewhere when its backend is out of reach, another one never", async () => {
  add("bad", "UNAVAILABLE");
  add("good");
  expect(await answerOf(set.call(callOf(), true))).toBe("good");
  expect(asked).toEqual(["bad", "good"]);
  expect(await answerOf(set.call(callOf(), false))).toBe("UNAVAILABLE");
});

it("takes idle backends in turn", async () => {
  for (const id of ["a", "b", "c"]) add(id);
  const answers: string[] = [];
  for (let i = 0; i < 6; i++) answers.push(await answerOf(set.call(callOf(), false)));
  expect(answers).toEqual(["a", "b", "c", "a", "b", "c"]);
});

it("does not repeat a call that its backend has refused", async () => {
  add("picky", "INVALID_ARGUMENT");
  add("good");
  expect(await answerOf(set.call(callOf(), true))).toBe("INVALID_ARGUMENT");
  expect(asked).toEqual(["picky"]);
});

it("stops repeating when the budget is spent, and again when time has refilled it", async () => {
  for (const id of ["a", "b"]) add(id, "UNAVAILABLE");
  for (let calls = 0; calls < 400; calls++) await answerOf(set.call(callOf(), true));
  const retries = asked.length - 400;
  expect(retries).toBeGreaterThanOrEqual(limits.maxRetriesSaved);
  expect(retries).toBeLessThanOrEqual(limits.maxRetriesSaved + 400 * limits.retriesPerCall + 1);
  nowMs += 1_000;
  asked = [];
  await answerOf(set.call(callOf(), true));
  expect(asked).toHaveLength(2);
});

it("leaves out a backend that fails in a row, takes it back later, and leaves it out longer at once", async () => {
  const bad = add("bad", "UNAVAILABLE");
  add("good");
  for (let calls = 0; calls < 2 * limits.outlierFailures; calls++) await answerOf(set.call(callOf(), false));
  asked = [];
  for (let calls = 0; calls < 20; calls++) expect(await answerOf(set.call(callOf(), false))).toBe("good");
  nowMs += limits.outlierEjectMs;
  asked = [];
  expect(await answerOf(set.call(callOf(), false))).toBe("UNAVAILABLE");
  nowMs += limits.outlierEjectMs;
  asked = [];
  await answerOf(set.call(callOf(), false));
  expect(asked).toEqual(["good"]);
  nowMs += limits.outlierEjectMs;
  bad.failing = false;
  expect(await answerOf(set.call(callOf(), false))).toBe("bad");
});

it("takes a backend back at once when the clock is set back", async () => {
  add("bad", "UNAVAILABLE");
  add("good");
  for (let calls = 0; calls < 2 * limits.outlierFailures; calls++) await answerOf(set.call(callOf(), false));
  nowMs -= limits.maxOutlierEjectMs;
  asked = [];
  for (let calls = 0; calls < 4; calls++) await answerOf(set.call(callOf(), false));
  expect(asked).toContain("bad");
});

it("never leaves out more than half of them", async () => {
  for (const id of ["a", "b", "c"]) add(id, "UNAVAILABLE");
  for (let calls = 0; calls < 60; calls++) await answerOf(set.call(callOf(), false));
  asked = [];
  await Promise.all(Array.from({ length: 30 }, () => answerOf(set.call(callOf(), false))));
  expect(new Set(asked).size).toBeGreaterThanOrEqual(2);
});

it("does not hold a deadline against a backend that nobody could keep", async () => {
  add("slow", "DEADLINE_EXCEEDED");
  add("good");
  for (let calls = 0; calls < 6 * limits.outlierFailures; calls++) await answerOf(set.call(callOf(1), false));
  asked = [];
  for (let calls = 0; calls < 2; calls++) await answerOf(set.call(callOf(1), false));
  expect(asked.sort()).toEqual(["good", "slow"]);
});
