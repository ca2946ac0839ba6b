import { limits } from "@chappe/mesh/limits.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { languages } from "../../polyglot/support/languages.ts";
import { runTool } from "../../polyglot/support/run-tool.ts";
import { startWorld, type World } from "../../polyglot/support/world.ts";
import { buildInteropClient } from "./run-h2spec.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let world: World;
let seen: Readonly<Record<string, unknown>>;
beforeAll(async () => {
  const [client, backend] = await Promise.all([buildInteropClient(), languages.go()]);
  world = await startWorld();
  await world.backend(backend, ["--instance", "interop"]).line("registered");
  const { accessToken, userId } = world.tokens;
  const args = ["-server", world.grpc, "-token", accessToken, "-user", String(userId)];
  seen = JSON.parse(await runTool(client, args, { timeoutMs: 60_000 })) as Record<string, unknown>;
}, 600_000);
afterAll(() => world.close());

const invalid = { code: "InvalidArgument", name: "INVALID_ARGUMENT" };
const refused = { code: "Unauthenticated", name: "UNAUTHENTICATED" };

/** What test/conformance/grpc/interop-client prints for each of its checks. */
const expected: Readonly<Record<string, unknown>> = {
  health: "SERVING",
  large: 12,
  tooLarge: { code: "ResourceExhausted" },
  deadline: "DeadlineExceeded",
  rawDeadline: "4",
  cancellation: { Canceled: 28 * 40, "then OK": 1 },
  details: {
    byBackend: invalid,
    noToken: refused,
    badToken: { code: "Unauthenticated", name: "TOKEN_INVALID" },
    badField: { ...invalid, fields: ["conversation_id"] },
    notMember: { code: "PermissionDenied", name: "NOT_A_MEMBER" },
  },
  metadata: { traceparent, isUser: true },
  unimplemented: {
    "/nobody.v1.NobodyService/Call": "Unimplemented",
    "/example.dice.v1.DiceService/Nothing": "Unimplemented",
    "/example.dice.v1.DiceService/Load": "Unimplemented",
    "/chappe.msg.v1.MessageService/AppendMembership": "Unimplemented",
  },
  session: { isUser: true, answered: 200, endsWell: true },
  refusedSession: ["TOKEN_INVALID", "UNAUTHENTICATED", "Unauthenticated"],
  frameTooLarge: ["FRAME_TOO_LARGE", "FRAME_TOO_LARGE", "InvalidArgument"],
  streamLimit: {
    announced: limits.maxGrpcStreamsPerConnection,
    taken: limits.maxGrpcStreamsPerConnection,
    ended: "PROTOCOL_ERROR",
  },
};

describe("a client on grpc-go", () => {
  it.each(Object.keys(expected))("%s", (check) => {
    expect(seen[check]).toEqual(expected[check]);
  });

  it("has no check that nobody looks at", () => {
    expect(Object.keys(seen).sort()).toEqual(Object.keys(expected).sort());
  });
});
