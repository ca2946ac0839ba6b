import { create, type DescFile, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  type RegisterRequest,
  RegisterRequestSchema,
  RegistryService,
} from "@chappe/gen/proto/chappe/mesh/v1/registry_service_pb.ts";
import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { compileContracts } from "../contracts/compile-contracts.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

const path = "example/coin/v1/coin_service.proto";
const textOf = (svid = 2_000, more = ""): string => `syntax = "proto3"; package example.coin.v1;
import "chappe/mesh/v1/options.proto";
service CoinService {
  option (chappe.mesh.v1.svid) = ${svid};
  rpc Toss(TossRequest) returns (TossResponse) { option (chappe.mesh.v1.cmd) = 1; }
}
message TossRequest { ${more} }
message TossResponse { bool heads = 1; }
`;

function filesOf(text: string): Uint8Array[] {
  const seen = new Map<string, DescFile>();
  const visit = (file: DescFile): void => {
    for (const imported of file.dependencies) visit(imported);
    seen.set(file.name, file);
  };
  for (const file of compileContracts({ [path]: text })) if (file.name.startsWith("example/")) visit(file);
  return [...seen.values()].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
}

type Fields = NonNullable<
  Extract<MessageInitShape<typeof RegisterRequestSchema>["event"], { case: "registration" }>["value"]
>;

let server: TestServer;
let ends: (() => void)[] = [];
beforeAll(async () => {
  server = await startTestServer(["--grpc-port", "0"]);
});
afterEach(() => {
  for (const end of ends) end();
  ends = [];
});
afterAll(() => server.close());

/** Opens a stream with these first messages; answers its first event, or the name of the error that ended it. */
async function open(messages: readonly MessageInitShape<typeof RegisterRequestSchema>[], secret = "telegraph") {
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.listenerPorts.grpc}` });
  const abort = new AbortController();
  ends.push(() => abort.abort());
  async function* requests(): AsyncGenerator<RegisterRequest> {
    for (const message of messages) yield create(RegisterRequestSchema, message);
    await new Promise((resolve) => abort.signal.addEventListener("abort", resolve));
  }
  const headers = { authorization: `Bearer ${secret}` };
  const replies = createClient(RegistryService, transport).register(requests(), { headers, signal: abort.signal });
  const iterator = replies[Symbol.asyncIterator]();
  try {
    const { value } = await iterator.next();
    return { event: value?.event.case, next: () => iterator.next() };
  } catch (error) {
    const { row, message } = toChappeError(error);
    return { event: row.name, text: message };
  }
}

const register = (fields: Fields = {}, secret?: string) => {
  const value = {
    svid: 2_000,
    service: "example.coin.v1.CoinService",
    instanceId: "one",
    address: "127.0.0.1:1",
    identity: "dev",
    files: filesOf(textOf()),
    ...fields,
  };
  return open([{ event: { case: "registration", value } }], secret);
};

it("takes servers of one contract, however their files are ordered, and none of another", async () => {
  expect(await register()).toMatchObject({ event: "accepted" });
  expect(await register({ instanceId: "two", files: filesOf(textOf()).toReversed() })).toMatchObject({
    event: "accepted",
  });
  const other = await register({ instanceId: "three", files: filesOf(textOf(2_000, "uint32 times = 1;")) });
  expect(other).toMatchObject({ event: "CONTRACT_MISMATCH" });
});

it("lets the last registration of an instance displace the one before", async () => {
  const first = await register();
  expect(await register()).toMatchObject({ event: "accepted" });
  const untilItEnds = async (): Promise<void> => {
    while ((await first.next!()).done !== true);
  };
  await expect(untilItEnds()).rejects.toThrow(/instance id has registered/);
});

it.each([
  ["a wrong secret", {}, "wrong", "BACKEND_REFUSED", ""],
  ["an identity nobody has", { identity: "nobody" }, undefined, "BACKEND_REFUSED", ""],
  ["an SVID of Chappe's own", { svid: 10 }, undefined, "BACKEND_REFUSED", "Chappe's own"],
  ["another SVID than the contract's", { svid: 2_001 }, undefined, "INVALID_ARGUMENT", "svid"],
  [
    "a service that is not in the files",
    { service: "example.coin.v1.Other" },
    undefined,
    "INVALID_ARGUMENT",
    "service",
  ],
  ["files that are none", { files: [Uint8Array.of(1, 2, 3)] }, undefined, "INVALID_ARGUMENT", "files[0]"],
  ["no files", { files: [] }, undefined, "INVALID_ARGUMENT", "service"],
  [
    "too many files",
    { files: Array.from({ length: 65 }, () => new Uint8Array()) },
    undefined,
    "INVALID_ARGUMENT",
    "files",
  ],
  ["an address that is none", { address: "here" }, undefined, "INVALID_ARGUMENT", "address"],
  ["an instance id that is none", { instanceId: "a b" }, undefined, "INVALID_ARGUMENT", "instance_id"],
])("refuses %s and says which field", async (_, fields, secret, name, field) => {
  const answer = await register(fields, secret);
  expect(answer.event).toBe(name);
  expect(answer.text).toContain(field);
});

it("refuses a stream that begins with something else, or registers twice", async () => {
  expect(await open([{ event: { case: "heartbeat", value: {} } }])).toMatchObject({ event: "INVALID_ARGUMENT" });
});
