import { create } from "@bufbuild/protobuf";
import { closeCodes } from "@chappe/gen/errors.ts";
import { KickRequestSchema } from "@chappe/gen/proto/chappe/edge/v1/login_service_pb.ts";
import { expect, it } from "vitest";
import type { SessionContext } from "./session-context.ts";
import { createSessionControl } from "./session-control.ts";

const loginEpoch = 7;

/** The part of a context that a kick touches, with one session, and the kicks that the session got. */
function openOne() {
  const kicks: unknown[] = [];
  const session = { kick: (...args: unknown[]) => void kicks.push(args) };
  const sessions = { ofConnection: (id: bigint) => (id === 1n ? session : undefined) };
  const control = createSessionControl({ loginEpoch, sessions } as unknown as SessionContext);
  const kick = (loginEpochOfKick: bigint, closeCode: number = closeCodes.REPLACED.code) => {
    const request = create(KickRequestSchema, { loginEpoch: loginEpochOfKick, connectionIds: [1n, 2n], closeCode });
    return control.kick(request, undefined as never);
  };
  return { kicks, kick };
}

it("closes connections of this start of the process, and of any when none is named", () => {
  const { kicks, kick } = openOne();
  expect(kick(7n)).toEqual({ closed: 1 });
  expect(kick(0n)).toEqual({ closed: 1 });
  expect(kicks).toEqual([
    ["REPLACED", ""],
    ["REPLACED", ""],
  ]);
});

it("closes nobody by a kick that was meant for another start of the process", () => {
  const { kicks, kick } = openOne();
  expect(kick(6n)).toEqual({ closed: 0 });
  expect(kicks).toEqual([]);
});

it("refuses a close code that is not in the registry", () => {
  const { kicks, kick } = openOne();
  expect(() => kick(7n, 4999)).toThrow(/close_code/);
  expect(kicks).toEqual([]);
});
