import { expect, it } from "vitest";
import { disturbEnvoy, envoyActs } from "../faults/envoy.ts";
import { defaultKillOptions, smallShape } from "../faults/run-under-load.ts";
import { summarise } from "../faults/summarise.ts";

it("loses, doubles and reorders nothing while Envoy is killed and drained, and Login scales 1 -> 3 -> 1 behind it", async () => {
  const options = { ...defaultKillOptions, seed: 5, clients: 20, shape: smallShape(4, 20), rate: 150, acts: envoyActs };
  const summary = summarise("envoy", await disturbEnvoy(options));
  expect(summary).toMatchObject({
    ...{ ok: true, settled: true, lost: 0, duplicate: 0, hole: 0, reordered: 0, phantom: 0, behind: 0, incomplete: 0 },
    kills: envoyActs.length,
  });
  expect(summary.acked).toBeGreaterThan(500);
}, 240_000);
