import { benchConnections } from "@chappe/bench/scenarios/connections.ts";
import { expect, it } from "vitest";

const mostP99Ms = 10_000;

it("20,000 connections over two Logins that are lost at once are all welcomed again within 10 s", {
  retry: 2,
}, async () => {
  const options = { window: 0, rate: 0, seconds: 2, warmupSeconds: 0, size: 20_000, textBytes: 1, serverArgs: [] };
  const { connections, loginProcesses, stormP99Ms } = await benchConnections(options);
  expect({ connections, loginProcesses }).toEqual({ connections: 20_000, loginProcesses: 2 });
  expect(stormP99Ms).toBeLessThan(mostP99Ms);
});
