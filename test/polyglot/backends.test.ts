import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BackendProcess, BackendProgram } from "./support/backend.ts";
import type { WhoAmI } from "./support/dice.ts";
import { languages } from "./support/languages.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

const nameOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call;
    return "no error";
  } catch (error) {
    return toChappeError(error).row.name;
  }
};
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe.each(Object.entries(languages))("a backend in %s", (language, prepare) => {
  let program: BackendProgram;
  let backend: BackendProcess;
  beforeAll(async () => {
    program = await prepare();
    backend = world.backend(program, ["--instance", `${language}-one`]);
    await backend.line("registered");
  }, 600_000);
  afterAll(() => backend.stop());

  it("answers calls from a WebSocket", async () => {
    const { values } = await world.call<{ values: number[] }>("roll", { sides: 6, count: 20 });
    expect(values).toHaveLength(20);
    for (const value of values) expect([1, 2, 3, 4, 5, 6]).toContain(value);
  });

  it("learns who calls, how long there is and the trace", async () => {
    const options = { timeoutMs: 4_000, headers: { traceparent } };
    const answer = await world.call<WhoAmI>("whoAmI", {}, options);
    expect(answer).toMatchObject({ language, instanceId: `${language}-one`, kind: "user", traceparent });
    expect(answer.userId).toBe(world.tokens.userId);
    expect(Number(answer.remainingMs)).toBeGreaterThan(0);
    expect(Number(answer.remainingMs)).toBeLessThanOrEqual(4_000);
  });

  it("has its refusals told, and its deadlines kept", async () => {
    const refused = world.call("roll", { sides: 1, count: 1 });
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining("sides must be 2 to 1000") });
    expect(await nameOf(refused)).toBe("INVALID_ARGUMENT");
    expect(await nameOf(world.call("sleep", { durationMs: 30_000 }, { timeoutMs: 300 }))).toBe("DEADLINE_EXCEEDED");
  });

  it("does not show internal methods to clients", async () => {
    expect(await nameOf(world.call("load", {}))).toBe("UNKNOWN_METHOD");
  });

  it("is refused with a wrong secret, an identity nobody knows", async () => {
    for (const args of [
      ["--secret", "wrong"],
      ["--identity", "nobody"],
    ]) {
      const refused = world.backend(program, [...args, "--once", "--instance", "two"]);
      expect(await refused.line("refused")).toMatch(/permission.?denied/i);
    }
  });
});
