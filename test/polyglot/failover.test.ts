import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BackendProgram } from "./support/backend.ts";
import type { WhoAmI } from "./support/dice.ts";
import { languages } from "./support/languages.ts";
import { startWorld, type World } from "./support/world.ts";

const lanes = 8;
let world: World;
let program: BackendProgram;
beforeAll(async () => {
  program = await languages.go();
  world = await startWorld();
}, 600_000);
afterAll(() => world.close());

/** Calls in several lanes until `stop`; answers the errors and how often each instance answered. */
function load(call: () => Promise<string>) {
  const errors: ReturnType<typeof toChappeError>[] = [];
  const answers = new Map<string, number>();
  let running = true;
  const lane = async (): Promise<void> => {
    while (running) {
      try {
        const by = await call();
        answers.set(by, (answers.get(by) ?? 0) + 1);
      } catch (error) {
        errors.push(toChappeError(error));
      }
    }
  };
  const done = Promise.all(Array.from({ length: lanes }, lane));
  return {
    errors,
    answers,
    /** Settles when so many more calls are answered. */
    async more(calls: number): Promise<void> {
      const total = (): number => [...answers.values()].reduce((sum, count) => sum + count, 0);
      const goal = total() + calls;
      while (total() < goal) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    async stop(): Promise<void> {
      running = false;
      await done;
    },
  };
}

describe("two servers of one service", () => {
  it("share the calls; kill -9 of one costs no idempotent call, and others only a retryable error", async () => {
    const start = (instance: string) => world.backend(program, ["--instance", instance]);
    const [a, b] = [start("a"), start("b")];
    await Promise.all([a.line("registered"), b.line("registered")]);
    const reads = load(async () => (await world.call<WhoAmI>("whoAmI", {})).instanceId);
    const writes = load(async () =>
      String((await world.call<{ values: [] }>("roll", { sides: 6, count: 1 })).values.length),
    );
    await reads.more(500);
    expect(reads.answers.get("a")).toBeGreaterThan(100);
    expect(reads.answers.get("b")).toBeGreaterThan(100);

    await a.stop("SIGKILL");
    await reads.more(500);
    await writes.more(500);
    const again = start("a");
    await again.line("registered");
    const before = reads.answers.get("a")!;
    await reads.more(500);
    await Promise.all([reads.stop(), writes.stop()]);

    expect(reads.errors.map(({ row }) => row.name)).toEqual([]);
    expect(writes.errors.filter(({ row }) => !row.retryable)).toEqual([]);
    expect(writes.errors.length).toBeLessThanOrEqual(2 * lanes);
    expect(reads.answers.get("a")).toBeGreaterThan(before);
    await again.stop();
    await b.stop();
  });

  it("drain without an error: calls in hand are answered", async () => {
    const one = world.backend(program, ["--instance", "one"]);
    const two = world.backend(program, ["--instance", "two"]);
    await Promise.all([one.line("registered"), two.line("registered")]);
    const writes = load(async () => {
      await world.call("sleep", { durationMs: 20 });
      return "done";
    });
    await writes.more(50);
    expect(await one.stop("SIGTERM")).toBe(0);
    await writes.more(50);
    await writes.stop();
    expect(writes.errors).toEqual([]);
    await two.stop();
  });

  it("are answered UNAVAILABLE, which is retryable, when none is left", async () => {
    const error = await world.call("roll", { sides: 6, count: 1 }).then(() => undefined, toChappeError);
    expect(error?.row).toMatchObject({ name: "UNAVAILABLE", retryable: true });
  });
});
