import { limits } from "@chappe/mesh/limits.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EdgeHarness, startEdge } from "./http-edge-harness.ts";

const callsAtOnce = 32;

let edge: EdgeHarness;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.close());

it("answers more calls one after the other than it holds at once", async () => {
  const statuses = new Map<number, number>();
  let left = limits.maxHttpCallsInFlight + 200;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const headers = { "content-type": "application/json", authorization: `Bearer ${edge.token}` };
      const response = await fetch(`${edge.url}/chappe.business.v1.UserService/GetUsers`, {
        method: "POST",
        headers,
        body: "{}",
      });
      await response.arrayBuffer();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: callsAtOnce }, worker));
  expect([...statuses]).toEqual([[200, limits.maxHttpCallsInFlight + 200]]);
});
