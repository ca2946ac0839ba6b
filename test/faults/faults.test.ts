import { expect, it } from "vitest";
import { killAllInOne } from "./kill-all-in-one.ts";
import { defaultKillOptions } from "./run-under-load.ts";
import { summarise } from "./summarise.ts";

it("loses, doubles and reorders nothing when the server is killed under load", async () => {
  const options = { ...defaultKillOptions, seed: 1, kills: 4, clients: 30, groups: 12, rate: 1_000 };
  const result = await killAllInOne(options);
  const summary = summarise("kill-all-in-one", result);
  expect(summary).toMatchObject({
    ok: true,
    settled: true,
    kills: 4,
    lost: 0,
    duplicate: 0,
    hole: 0,
    reordered: 0,
    phantom: 0,
    unauthorised: 0,
    conflict: 0,
    behind: 0,
    incomplete: 0,
    examples: {},
  });
  // A kill that hits an idle server proves nothing.
  for (const { inFlight } of result.kills) expect(inFlight).toBeGreaterThan(0);
  expect(summary.acked).toBeGreaterThan(1_000);
  expect(summary.received).toBeGreaterThan(summary.acked);
});
