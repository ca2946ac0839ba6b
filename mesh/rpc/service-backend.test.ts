import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  GetUsersRequestSchema,
  GetUsersResponseSchema,
  UserService,
} from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { PushService } from "@chappe/gen/proto/chappe/push/v1/push_service_pb.ts";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ChappeError } from "../errors/chappe-error.ts";
import { type Call, noBytes } from "./call.ts";
import { decodeError, encodeError, toChappeError, toConnectError } from "./connect-errors.ts";
import { type Identity, identityKey, internalIdentity, publicIdentity } from "./identity.ts";
import { createRouteTransport } from "./route-transport.ts";
import { createServiceBackend } from "./service-backend.ts";
import { createRequestValidator } from "./validator.ts";

const user: Identity = { kind: "user", userId: 7n, sessionId: 1n, deviceId: 2n };
const validator = createRequestValidator([GetUsersRequestSchema]);
const request = (names: string[]): Uint8Array =>
  toBinary(GetUsersRequestSchema, create(GetUsersRequestSchema, { names }));
const callOf = (patch: Partial<Call>): Call => ({
  svid: 21,
  cmd: 1,
  payload: request(["ada"]),
  identity: user,
  affinity: noBytes,
  deadlineMs: Date.now() + 10_000,
  traceContext: noBytes,
  ...patch,
});
const users = createServiceBackend(
  UserService,
  {
    getUsers({ names }, context) {
      if (names[0] === "boom") throw new Error("secret path /etc");
      const { userId } = context.values.get(identityKey);
      return { users: [{ userId, name: names[0]!, displayName: String(context.signal.aborted) }] };
    },
    updateProfile: () => ({}),
  },
  { validator },
);
const published: bigint[] = [];
const push = createServiceBackend(
  PushService,
  {
    publish({ exceptUserId }) {
      published.push(exceptUserId);
      return {};
    },
    publishBatch: () => ({}),
    kick: () => ({ closed: 0 }),
  },
  { validator },
);

describe("service backend", () => {
  it("decodes, hands over the caller and a live signal, and encodes", async () => {
    const answer = fromBinary(GetUsersResponseSchema, await users.handle(callOf({})));
    expect(answer.users[0]).toMatchObject({ userId: 7n, name: "ada", displayName: "false" });
  });

  it.each([
    ["bytes that are no request", "MALFORMED_PAYLOAD", { payload: Uint8Array.of(0xff, 0xff) }],
    ["too many names", "INVALID_ARGUMENT", { payload: request(new Array<string>(201).fill("a")) }],
    ["an unknown command", "UNKNOWN_METHOD", { cmd: 9 }],
    ["nobody", "UNAUTHENTICATED", { identity: publicIdentity }],
    ["a module without a user", "UNAUTHENTICATED", { identity: internalIdentity }],
  ])("refuses %s", async (_name, name, patch) => {
    await expect(users.handle(callOf(patch))).rejects.toMatchObject({ row: { name } });
  });

  it("names the field that broke its rule", async () => {
    const refused = users.handle(callOf({ payload: request(new Array<string>(201).fill("a")) }));
    await expect(refused).rejects.toMatchObject({ violations: [{ field: "names", rule: "repeated.max_items" }] });
  });

  it("hides internal methods from users", async () => {
    const attempt = push.handle(callOf({ svid: 40, payload: noBytes }));
    await expect(attempt).rejects.toMatchObject({ row: { name: "UNKNOWN_METHOD" } });
    expect(published).toEqual([]);
  });

  it("tells an unexpected error as INTERNAL without its text", async () => {
    const error = await users.handle(callOf({ payload: request(["boom"]) })).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ row: { name: "INTERNAL" } });
    expect(decodeError(encodeError(error)).message).not.toContain("secret");
    expect(toConnectError(error).message).not.toContain("secret");
  });

  it("refuses at the start a service with a missing method", () => {
    expect(() => createServiceBackend(UserService, {} as never, { validator })).toThrow("GetUsers");
  });
});

describe("errors on the wire", () => {
  it("keep name, wait and violations over Connect and over packets", () => {
    const violations = [{ field: "name", rule: "r", message: "m" }];
    const error = new ChappeError("RATE_LIMITED", "slow down", { retryAfterMs: 1_500, violations });
    const overConnect = toConnectError(error);
    expect(overConnect.code).toBe(Code.ResourceExhausted);
    expect(overConnect.metadata.get("retry-after")).toBe("2");
    const expected = { row: { name: "RATE_LIMITED" }, message: "slow down", retryAfterMs: 1_500, violations };
    expect(toChappeError(overConnect)).toMatchObject(expected);
    expect(decodeError(encodeError(error))).toMatchObject(expected);
  });

  it("keep the meaning of Connect's own codes", () => {
    expect(toChappeError(new ConnectError("late", Code.DeadlineExceeded)).row.name).toBe("DEADLINE_EXCEEDED");
  });
});

describe("route transport", () => {
  it("calls another module as a Connect client, and rejects with its ChappeError", async () => {
    const calls: Call[] = [];
    const router = {
      call(call: Call) {
        calls.push(call);
        return push.handle(call);
      },
    };
    const client = createClient(PushService, createRouteTransport(router));
    await client.publish({ userIds: [1n], exceptUserId: 5n, svid: 10, cmd: 101 });
    expect(published).toEqual([5n]);
    expect(calls[0]!.identity).toBe(internalIdentity);
    await expect(client.publish({ userIds: [1n] })).rejects.toMatchObject({ row: { name: "INVALID_ARGUMENT" } });
  });
});
