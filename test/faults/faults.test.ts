import { expect, it } from "vitest";
import { type Act, type Harm, harmOf } from "./act.ts";
import { stages } from "./cases.ts";
import { disturbOnce } from "./disturb.ts";
import { expectNothingFound } from "./expect-nothing-found.ts";
import { killAllInOne } from "./kill-all-in-one.ts";
import { defaultKillOptions, smallShape } from "./run-under-load.ts";
import { summarise } from "./summarise.ts";

const clients = 30;

it("loses, doubles and reorders nothing when the server is killed under load", async () => {
  const options = { ...defaultKillOptions, seed: 1, kills: 4, clients, shape: smallShape(12, clients), rate: 1_000 };
  const result = await killAllInOne(options);
  const summary = summarise("kill-all-in-one", result);
  expectNothingFound(summary, 4);
  // A kill that hits an idle server proves nothing.
  for (const { inFlight } of result.kills) expect(inFlight).toBeGreaterThan(0);
  expect(summary.acked).toBeGreaterThan(1_000);
  expect(summary.received).toBeGreaterThan(summary.acked);
});

const actsOf = (...acts: readonly string[]): Act[] =>
  acts.map((act) => {
    const [harm, name] = act.split(" ") as [Harm, string];
    return harmOf(harm, name);
  });

it("loses, doubles and reorders nothing when processes of the signalling tier are killed, stalled and drained", async () => {
  const acts = actsOf(
    "kill route-1",
    "kill core",
    "drain login-1",
    "kill online-1",
    "stall route-2",
    "kill login-2",
    "drain core",
    "drain online-2",
    "drain route-1",
  );
  const options = { ...defaultKillOptions, seed: 2, clients, shape: smallShape(9, clients), rate: 300 };
  const summary = summarise("signalling", await disturbOnce(stages.signalling, acts, options));
  expectNothingFound(summary, acts.length);
  expect(summary.acked).toBeGreaterThan(1_000);
});

it("the same with Online in Login's processes", async () => {
  const acts = actsOf("kill login-1", "kill core", "stall login-2", "drain route-1");
  const options = { ...defaultKillOptions, seed: 3, clients, shape: smallShape(4, clients), rate: 300 };
  const summary = summarise("signalling-folded", await disturbOnce(stages["signalling-folded"], acts, options));
  expectNothingFound(summary, acts.length);
});
