import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { describe, expect, test } from "vitest";
import { type AddressLimits, type AddressTicket, createAddressLimits } from "./address-limits.ts";

const setUp = (changes: Partial<Record<keyof typeof limits, number>>) => {
  const clock = { nowMs: 1_000 };
  return { clock, addresses: createAddressLimits({ ...limits, ...changes }, () => clock.nowMs) };
};
const enter = (addresses: AddressLimits, address: string): AddressTicket => {
  const ticket = addresses.enter(address);
  if (ticket instanceof ChappeError) throw ticket;
  return ticket;
};
const isRefused = (addresses: AddressLimits, address: string): boolean =>
  addresses.enter(address) instanceof ChappeError;

describe("address limits", () => {
  test("count connections before Hello apart, and give places back once", () => {
    const { addresses } = setUp({ maxUnauthenticatedPerAddress: 1, maxConnectionsPerAddress: 2 });
    const first = enter(addresses, "10.0.0.1");
    expect(isRefused(addresses, "10.0.0.1")).toBe(true);
    enter(addresses, "10.0.0.2");
    first.welcome();
    first.welcome();
    const second = enter(addresses, "10.0.0.1");
    second.welcome();
    expect(isRefused(addresses, "10.0.0.1")).toBe(true);
    second.leave();
    second.leave();
    enter(addresses, "10.0.0.1");
    expect(isRefused(addresses, "10.0.0.1")).toBe(true);
  });

  test("the rate is remembered when nobody is connected any more, and refills", () => {
    const { addresses, clock } = setUp({ connectBurstPerAddress: 2, connectsPerSecondPerAddress: 1 });
    for (let i = 0; i < 2; i++) enter(addresses, "10.0.0.1").leave();
    const refusal = addresses.enter("10.0.0.1");
    expect(refusal).toMatchObject({ row: { name: "RATE_LIMITED" }, retryAfterMs: 1_000 });
    clock.nowMs += 1_000;
    enter(addresses, "10.0.0.1").leave();
    expect(isRefused(addresses, "10.0.0.1")).toBe(true);
  });

  test.each([
    ["2001:db8:1:2::1", "2001:db8:1:2:ffff:1:2:3", true],
    ["2001:db8:1:2::1", "2001:DB8:1:2:0::9", true],
    ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
    ["::1", "0:0:0:0:0:0:0:1", true],
    ["::ffff:10.0.0.1", "10.0.0.1", true],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.2", false],
  ])("%s and %s are one address: %s", (one, other, isSame) => {
    const { addresses } = setUp({ maxConnectionsPerAddress: 1 });
    enter(addresses, one);
    expect(isRefused(addresses, other)).toBe(isSame);
  });
});
