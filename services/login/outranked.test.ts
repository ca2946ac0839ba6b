import { DeviceClass } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { expect, it } from "vitest";
import { outranked, type RankedSession } from "./outranked.ts";

const { MOBILE, WEB } = DeviceClass;
const session = (openedTimeMs: number, deviceId: bigint, more: Partial<RankedSession> = {}): RankedSession => ({
  loginId: "login-1",
  connectionId: BigInt(openedTimeMs),
  deviceId,
  deviceClass: MOBILE,
  openedTimeMs,
  ...more,
});

it("leaves the newest device of a single class, with all its connections", () => {
  const [old, tab, newest] = [session(1, 1n), session(2, 2n), session(3, 2n)];
  expect(outranked([newest, old, tab], 8, new Set([MOBILE]))).toEqual([old]);
  expect(outranked([newest, old, tab], 8, new Set([WEB]))).toEqual([]);
});

it("leaves as many connections of a device as it may have, the newest ones", () => {
  const all = [session(4, 1n), session(1, 1n), session(3, 1n), session(2, 2n)];
  expect(outranked(all, 2, new Set()).map(({ openedTimeMs }) => openedTimeMs)).toEqual([1]);
});

it("judges sessions of one moment alike, in whichever order they are named", () => {
  const a = session(5, 1n, { loginId: "login-1" });
  const b = session(5, 2n, { loginId: "login-2" });
  for (const all of [
    [a, b],
    [b, a],
  ])
    expect(outranked(all, 8, new Set([MOBILE]))).toEqual([a]);
});
