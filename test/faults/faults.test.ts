import { expect, it } from "vitest";
import { killAllInOne } from "./kill-all-in-one.ts";
import { persistenceMembers, startPersistenceEngines } from "./persistence.ts";
import { defaultKillOptions } from "./run-under-load.ts";
import { type Act, disturbSignalling, foldedMembers, signallingMembers } from "./signalling.ts";
import { summarise } from "./summarise.ts";

const nothingFound = {
  ok: true,
  settled: true,
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
};

it("loses, doubles and reorders nothing when the server is killed under load", async () => {
  const options = { ...defaultKillOptions, seed: 1, kills: 4, clients: 30, groups: 12, rate: 1_000 };
  const result = await killAllInOne(options);
  const summary = summarise("kill-all-in-one", result);
  expect(summary).toMatchObject({ ...nothingFound, kills: 4 });
  // A kill that hits an idle server proves nothing.
  for (const { inFlight } of result.kills) expect(inFlight).toBeGreaterThan(0);
  expect(summary.acked).toBeGreaterThan(1_000);
  expect(summary.received).toBeGreaterThan(summary.acked);
});

const actsOf = (...acts: readonly string[]): Act[] =>
  acts.map((act) => {
    const [harm, name] = act.split(" ") as [Act["harm"], string];
    return { harm, name };
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
  const options = {
    ...defaultKillOptions,
    seed: 2,
    clients: 30,
    groups: 9,
    rate: 300,
    members: signallingMembers,
    acts,
  };
  const summary = summarise("signalling", await disturbSignalling(options));
  expect(summary).toMatchObject({ ...nothingFound, kills: acts.length });
  expect(summary.acked).toBeGreaterThan(1_000);
});

it("loses, doubles and reorders nothing when modules of core, Kafka and MariaDB are killed", async () => {
  const acts = actsOf("kill writer-1", "kill kafka", "kill proxy-1", "kill mariadb", "kill push-1");
  const summary = summarise(
    "persistence",
    await disturbSignalling({
      ...defaultKillOptions,
      seed: 4,
      clients: 30,
      groups: 4,
      rate: 200,
      members: persistenceMembers,
      acts,
      startEngines: startPersistenceEngines,
    }),
  );
  expect(summary).toMatchObject({ ...nothingFound, kills: acts.length });
  expect(summary.acked).toBeGreaterThan(1_000);
});

it("the same with Online in Login's processes", async () => {
  const acts = actsOf("kill login-1", "kill core", "stall login-2", "drain route-1");
  const options = { ...defaultKillOptions, seed: 3, clients: 30, groups: 4, rate: 300, members: foldedMembers, acts };
  const summary = summarise("signalling-folded", await disturbSignalling(options));
  expect(summary).toMatchObject({ ...nothingFound, kills: acts.length });
});
