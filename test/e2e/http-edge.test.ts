import { GroupService } from "@chappe/gen/proto/chappe/business/v1/group_service_pb.ts";
import { UserService } from "@chappe/gen/proto/chappe/business/v1/user_service_pb.ts";
import { ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { readAllBytes, type UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport as createConnectTransport, errorFromJson } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpcWebTransport } from "@connectrpc/connect/protocol-grpc-web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EdgeHarness, startEdge } from "./http-edge-harness.ts";

const getUsers = "chappe.business.v1.UserService/GetUsers";
const createGroup = "chappe.business.v1.GroupService/CreateGroup";
const signIn = "chappe.business.v1.AuthService/SignIn";

let edge: EdgeHarness;
let answerGroup: (signal: AbortSignal) => Promise<object>;
beforeAll(async () => {
  edge = await startEdge({ createGroup: ({ signal }) => answerGroup(signal) });
});
afterAll(() => edge.close());

/** Node's own fetch, which does not take a stream as body without being told. */
const fetchClient: UniversalClientFn = async ({ url, method, header, body }) => {
  const bytes = body && new Uint8Array(await readAllBytes(body, Number.MAX_SAFE_INTEGER));
  const response = await fetch(url, { method, headers: header, ...(bytes && { body: bytes }) });
  return { status: response.status, header: response.headers, body: response.body!, trailer: new Headers() };
};

/** What both transports need. */
const transportOptions = () => ({
  baseUrl: edge.url,
  httpClient: fetchClient,
  useBinaryFormat: true,
  acceptCompression: [],
  sendCompression: null,
  compressMinBytes: 1024,
  readMaxBytes: limits.maxHttpMessageBytes,
  writeMaxBytes: 2 * limits.maxHttpMessageBytes,
});

interface Told {
  readonly status: number;
  readonly code: string;
  readonly name: string | undefined;
  readonly fields: string[];
}

/** What a refusal says, after asserting that it is a Connect error with our detail. */
async function told(path: string, init: RequestInit & { duplex?: "half" }): Promise<Told> {
  const response = await fetch(`${edge.url}/${path}`, { method: "POST", ...init });
  expect(response.headers.get("content-type")).toBe("application/json");
  const error = errorFromJson((await response.json()) as never, undefined, new ConnectError("no Connect error"));
  const [detail] = error.findDetails(ErrorDetailSchema);
  expect(detail?.code).toBe(error.code);
  const fields = (detail?.violations ?? []).map(({ field }) => field);
  return { status: response.status, code: Code[error.code]!, name: detail?.name, fields };
}

const headers = (more: Record<string, string> = {}): Record<string, string> => ({
  authorization: `Bearer ${edge.token}`,
  "content-type": "application/json",
  ...more,
});

function trickle(chunks: number): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent++ >= chunks) controller.close();
      else controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
    },
  });
}

describe("errors of the edge itself, over Connect", () => {
  it.each([
    ["no JSON", getUsers, () => ({ headers: headers(), body: "{" }), 400, "MALFORMED_PAYLOAD", []],
    [
      "a field of the wrong form",
      getUsers,
      () => ({ headers: headers(), body: '{"names":[1]}' }),
      400,
      "MALFORMED_PAYLOAD",
      ["names"],
    ],
    [
      "no protobuf",
      getUsers,
      () => ({ headers: headers({ "content-type": "application/proto" }), body: "\xff" }),
      400,
      "MALFORMED_PAYLOAD",
      [],
    ],
    [
      "another content type",
      getUsers,
      () => ({ headers: headers({ "content-type": "text/xml" }), body: "<a/>" }),
      415,
      "INVALID_ARGUMENT",
      ["content-type"],
    ],
    [
      "a streaming content type",
      getUsers,
      () => ({ headers: headers({ "content-type": "application/connect+json" }), body: "" }),
      415,
      "INVALID_ARGUMENT",
      ["content-type"],
    ],
    [
      "a verb that is not taken",
      createGroup,
      () => ({ method: "PUT", headers: headers(), body: "{}" }),
      405,
      "UNKNOWN_METHOD",
      [],
    ],
    ["GET of a call that writes", createGroup, () => ({ method: "GET" }), 405, "UNKNOWN_METHOD", []],
    [
      "an unknown method",
      "chappe.business.v1.UserService/Nothing",
      () => ({ headers: headers(), body: "{}" }),
      404,
      "UNKNOWN_METHOD",
      [],
    ],
    [
      "an unknown service",
      "chappe.push.v1.PushService/Publish",
      () => ({ headers: headers(), body: "{}" }),
      404,
      "UNKNOWN_METHOD",
      [],
    ],
    [
      "an unknown encoding",
      getUsers,
      () => ({ headers: headers({ "content-encoding": "zstd" }), body: "{}" }),
      501,
      "UNKNOWN_METHOD",
      ["content-encoding"],
    ],
    [
      "a body that is not its encoding",
      getUsers,
      () => ({ headers: headers({ "content-encoding": "gzip" }), body: "{}" }),
      400,
      "MALFORMED_PAYLOAD",
      [],
    ],
    [
      "a timeout that is none",
      getUsers,
      () => ({ headers: headers({ "connect-timeout-ms": "soon" }), body: "{}" }),
      400,
      "INVALID_ARGUMENT",
      ["connect-timeout-ms"],
    ],
    [
      "a timeout that is too long",
      getUsers,
      () => ({ headers: headers({ "connect-timeout-ms": "9999999999" }), body: "{}" }),
      400,
      "INVALID_ARGUMENT",
      ["connect-timeout-ms"],
    ],
    [
      "a large body of a public call",
      signIn,
      () => ({ headers: headers(), body: " ".repeat(limits.maxHttpPublicBodyBytes + 1) }),
      400,
      "FRAME_TOO_LARGE",
      ["body"],
    ],
    [
      "a large body of a reading call",
      getUsers,
      () => ({ headers: headers(), body: " ".repeat(limits.maxHttpReadBodyBytes + 1) }),
      400,
      "FRAME_TOO_LARGE",
      ["body"],
    ],
    [
      "a large body of a writing call",
      createGroup,
      () => ({ headers: headers(), body: " ".repeat(limits.maxHttpMessageBytes + 1) }),
      400,
      "FRAME_TOO_LARGE",
      ["body"],
    ],
    [
      "a large body of unknown length",
      createGroup,
      () => ({ headers: headers(), body: trickle(17), duplex: "half" as const }),
      400,
      "FRAME_TOO_LARGE",
      ["body"],
    ],
    [
      "a broken rule of the contract",
      createGroup,
      () => ({ headers: headers(), body: "{}" }),
      400,
      "INVALID_ARGUMENT",
      ["title"],
    ],
    ["no token", getUsers, () => ({ headers: headers({ authorization: "" }), body: "{}" }), 401, "UNAUTHENTICATED", []],
  ] as const)("%s", async (_, path, init, status, name, fields) => {
    expect(await told(path, init())).toMatchObject({ status, name, fields });
  });

  it("a body that is large only when it is unpacked", async () => {
    const body = await new Response(
      new Blob([" ".repeat(limits.maxHttpMessageBytes + 1)]).stream().pipeThrough(new CompressionStream("gzip")),
    ).bytes();
    const init = { headers: headers({ "content-encoding": "gzip" }), body };
    expect(await told(createGroup, init)).toMatchObject({ status: 400, name: "FRAME_TOO_LARGE" });
  });

  it("a handler that outlives the deadline is not waited for, and its signal ends", async () => {
    let ended: Promise<unknown> | undefined;
    answerGroup = (signal) => {
      ended = new Promise((resolve) => signal.addEventListener("abort", resolve));
      return new Promise(() => {});
    };
    const init = { headers: headers({ "connect-timeout-ms": "50" }), body: '{"title":"x"}' };
    expect(await told(createGroup, init)).toMatchObject({ status: 504, name: "DEADLINE_EXCEEDED" });
    await ended;
  });

  it("an error that no module threw on purpose is INTERNAL, without its text", async () => {
    answerGroup = () => Promise.reject(new Error("the secret cause"));
    const init = { headers: headers(), body: '{"title":"x"}' };
    expect(await told(createGroup, init)).toMatchObject({ status: 500, name: "INTERNAL" });
  });
});

describe("errors of the edge itself, over gRPC-web", () => {
  const failure = async (transport: Transport, call: (transport: Transport) => Promise<unknown>) =>
    call(transport).then(
      () => expect.unreachable(),
      (error: unknown) => {
        expect(ConnectError.from(error).findDetails(ErrorDetailSchema)).toHaveLength(1);
        return toChappeError(error);
      },
    );
  const transportOf = (more: Record<string, string> = {}): Transport =>
    createGrpcWebTransport({
      ...transportOptions(),
      interceptors: [
        (next) => (request) => {
          for (const [name, value] of Object.entries(headers(more)))
            if (name !== "content-type") request.header.set(name, value);
          return next(request);
        },
      ],
    });
  const names = (count: number): string[] => new Array<string>(count).fill("x".repeat(1024));

  it("answers calls", async () => {
    expect((await createClient(UserService, transportOf()).getUsers({})).users).toEqual([]);
  });

  it.each([
    ["no token", { authorization: "" }, 0, "UNAUTHENTICATED"],
    ["a forged token", { authorization: "Bearer a.b.c" }, 0, "TOKEN_INVALID"],
    ["a body over the limit", {}, 65, "FRAME_TOO_LARGE"],
    ["a timeout that is too long", { "grpc-timeout": "99M" }, 0, "INVALID_ARGUMENT"],
  ])("%s", async (_, more, count, name) => {
    const call = (transport: Transport) => createClient(UserService, transport).getUsers({ names: names(count) });
    expect((await failure(transportOf(more), call)).row.name).toBe(name);
  });

  it("a service that is not there, and a deadline", async () => {
    const send = (transport: Transport) => createClient(MessageService, transport).send({});
    expect((await failure(transportOf(), send)).row.name).toBe("UNKNOWN_METHOD");
    answerGroup = () => new Promise(() => {});
    const late = (transport: Transport) =>
      createClient(GroupService, transport).createGroup({ title: "x" }, { headers: { "grpc-timeout": "50m" } });
    expect((await failure(transportOf(), late)).row.name).toBe("DEADLINE_EXCEEDED");
  });

  it.each([
    ["a message that is no protobuf", "\0\0\0\0\x01\xff"],
    ["a frame that is cut short", "\0\0\0\0\x7f"],
    ["no message", ""],
  ])("%s", async (_, body) => {
    const init = { method: "POST", headers: headers({ "content-type": "application/grpc-web+proto" }) };
    const response = await fetch(`${edge.url}/${getUsers}`, { ...init, body: Buffer.from(body, "latin1") });
    const trailer = await response.text();
    expect(trailer).toMatch(/grpc-status: 3\r\n/);
    const packed = /grpc-status-details-bin: (\S+)/.exec(trailer)?.[1] ?? "";
    expect(Buffer.from(packed, "base64").toString("latin1")).toContain("MALFORMED_PAYLOAD");
  });
});

describe("a caller without a good token", () => {
  const head = (token: string, more: string): string =>
    `POST /${createGroup} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\n${more}\r\n\r\n`;

  it("is refused before the first byte of the body", async () => {
    const text = await edge.raw(head("a.b.c", `Content-Length: ${limits.maxHttpMessageBytes}`), /TOKEN_INVALID|token/);
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    const continued = await edge.raw(head("a.b.c", "Content-Length: 5\r\nExpect: 100-continue"), /token/);
    expect(continued).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("does not cost a good caller on the same connection anything", async () => {
    const body = " ".repeat(limits.maxHttpMessageBytes);
    const second = `GET /livez HTTP/1.1\r\nHost: x\r\n\r\n`;
    const bad = head("a.b.c", `Content-Length: ${body.length}`);
    expect(await edge.raw(bad + body + second, /ok\n/)).toMatch(/^HTTP\/1\.1 401 [\s\S]*HTTP\/1\.1 200 OK/);
  });

  it("with a body of unknown length that goes on too long leaves the connection usable", async () => {
    const bytes = limits.maxHttpMessageBytes + 1;
    const body = `${bytes.toString(16)}\r\n${" ".repeat(bytes)}\r\n0\r\n\r\n`;
    const second = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    const text = await edge.raw(head(edge.token, "Transfer-Encoding: chunked") + body + second, /ok\n/);
    expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*HTTP\/1\.1 200 OK/);
  });

  it("is cut off when it goes on sending for too long", async () => {
    const length = 4 * limits.maxHttpDiscardBytes;
    const sent = " ".repeat(2 * limits.maxHttpDiscardBytes);
    const text = await edge.raw(head("a.b.c", `Content-Length: ${length}`) + sent, /never/);
    // The end of the connection may overtake the answer.
    expect(text).toMatch(/^(HTTP\/1\.1 401 |$)/);
  });

  it("with a good one is asked to go on", async () => {
    const expecting = head(edge.token, "Content-Length: 5\r\nExpect: 100-continue");
    expect(await edge.raw(expecting, /Continue/)).toMatch(/^HTTP\/1\.1 100 /);
  });
});

describe("requests that are none", () => {
  it.each([
    ["no HTTP", "HELLO\r\n\r\n", 400, "MALFORMED_FRAME"],
    [
      "too many header bytes",
      `GET / HTTP/1.1\r\nHost: x\r\na: ${"x".repeat(limits.maxHttpHeaderBytes)}\r\n\r\n`,
      431,
      "FRAME_TOO_LARGE",
    ],
  ])("are answered by a Connect error: %s", async (_, bytes, status, name) => {
    const text = await edge.raw(bytes, /\}$/);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    const error = errorFromJson(JSON.parse(text.slice(text.indexOf("{"))), undefined, new ConnectError("none"));
    expect(error.findDetails(ErrorDetailSchema)[0]?.name).toBe(name);
  });

  it.each([
    ["without a host", `POST /${getUsers} HTTP/1.0\r\n\r\n`],
    ["with a host that is none", `POST /${getUsers} HTTP/1.1\r\nHost: %%%\r\n\r\n`],
    ["for a path that is none", "GET //[ HTTP/1.1\r\nHost: x\r\n\r\n"],
  ])("do not stop the server: %s", async (_, bytes) => {
    expect(await edge.raw(bytes, /\n\r\n/)).toMatch(/^HTTP\/1\.1 400 /);
    expect((await fetch(`${edge.url}/livez`)).status).toBe(200);
  });
});

it("reads are answered over GET too", async () => {
  const transport = createConnectTransport({ ...transportOptions(), interceptors: [], useHttpGet: true });
  const options = { headers: { authorization: `Bearer ${edge.token}` } };
  expect((await createClient(UserService, transport).getUsers({}, options)).users).toEqual([]);
});
