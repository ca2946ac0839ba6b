import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import { expect, it } from "vitest";
import { createSendAdmission } from "./send-admission.ts";

const userId = 7n;
let nowMs = 1_000_000;

function createAdmission() {
  nowMs = 1_000_000;
  const membership = createMembershipViews({ store: { members: async () => [] } });
  return createSendAdmission({
    membership,
    users: { usersById: async () => [] },
    now: () => nowMs,
    sendsPerSecondPerUser: 10,
  });
}

it("refuses what is over the rate, says when to come back, and keeps that word", () => {
  const admission = createAdmission();
  admission.takeRate(userId, 20);
  const refused = { row: expect.objectContaining({ name: "RATE_LIMITED" }), retryAfterMs: 500 };
  expect(() => admission.takeRate(userId, 5)).toThrow(expect.objectContaining(refused));
  nowMs += 500;
  admission.takeRate(userId, 5);
});

it("refuses nobody for longer because the clock was set back", () => {
  const admission = createAdmission();
  admission.takeRate(userId, 10);
  nowMs -= 3_600_000;
  admission.takeRate(userId, 10);
  nowMs += 1_000;
  admission.takeRate(userId, 10);
});
