import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { create } from "@bufbuild/protobuf";
import { AuthService, TokensSchema } from "@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts";
import { Code, ConnectError, type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTokenSource, refresh, register, signIn, signOut } from "./auth.ts";
import { ChappeClientError } from "./client-error.ts";

let server: Server;
let url: string;
let refreshes: string[];
let authorizations: (string | null)[];

const tokens = (n: number) => ({
  tokens: create(TokensSchema, {
    userId: 7n,
    accessToken: `access-${n}`,
    accessExpiresTimeMs: BigInt(n),
    refreshToken: `refresh-${n}`,
  }),
});

/** Services over HTTP on any free port of this machine. */
async function startRouterServer(routes: (router: ConnectRouter) => void): Promise<{ server: Server; url: string }> {
  const router = createConnectRouter();
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, createFetchHandler(handler)]));
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const handler = handlers.get(new URL(incoming.url ?? "/", "http://host").pathname);
    const response = (await handler?.(await toRequest(incoming))) ?? new Response(null, { status: 404 });
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
  };
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as { port: number }).port}` };
}

async function toRequest(incoming: IncomingMessage): Promise<Request> {
  const body = Buffer.concat(await Array.fromAsync(incoming as AsyncIterable<Buffer>));
  const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Request(`http://host${incoming.url}`, { method: "POST", headers, body });
}

beforeEach(async () => {
  refreshes = [];
  authorizations = [];
  const started = await startRouterServer((router) =>
    router.service(AuthService, {
      register: () => tokens(1),
      signIn({ password }) {
        if (password !== "right") throw new ChappeClientError("WRONG_CREDENTIALS").toConnectError();
        return tokens(1);
      },
      refresh({ refreshToken }) {
        refreshes.push(refreshToken);
        return tokens(refreshes.length + 1);
      },
      signOut(_request, context) {
        authorizations.push(context.requestHeader.get("authorization"));
        return {};
      },
    }),
  );
  server = started.server;
  url = `${started.url}/`;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

test("signing in and registering answer the session's tokens", async () => {
  const expected = { userId: 7n, accessToken: "access-1", accessExpiresTimeMs: 1, refreshToken: "refresh-1" };
  expect(await signIn({ url, name: "a", password: "right" })).toEqual(expected);
  expect(await register({ url, name: "a", password: "right" })).toEqual(expected);
  expect(await refresh({ url, refreshToken: "refresh-1" })).toMatchObject({ accessToken: "access-2" });
  await signOut({ url, accessToken: "access-1" });
  expect(authorizations).toEqual(["Bearer access-1"]);
});

test("refusals have the registry's name; a server that is not there may be asked again", async () => {
  const error = await signIn({ url, name: "a", password: "wrong" }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ChappeClientError);
  expect(error).toMatchObject({ name: "WRONG_CREDENTIALS", number: 44, code: Code.Unauthenticated, retryable: false });
  const nowhere = signIn({ url: "http://127.0.0.1:1", name: "a", password: "b", timeoutMs: 2_000 });
  await expect(nowhere).rejects.toMatchObject({ name: "UNAVAILABLE", retryable: true });
  const aborted = signIn({ url, name: "a", password: "right", signal: AbortSignal.abort() });
  await expect(aborted).rejects.toMatchObject({ name: "CANCELLED" });
});

test("a token source uses each refresh token once, however many ask, and tells each fresh set", async () => {
  const told: string[] = [];
  const first = await signIn({ url, name: "a", password: "right" });
  const getToken = createTokenSource({ url, tokens: first, onTokens: (fresh) => void told.push(fresh.refreshToken) });
  expect(await getToken("connect")).toBe("access-1");
  expect(await Promise.all([getToken("expired"), getToken("refresh")])).toEqual(["access-2", "access-2"]);
  expect(await getToken("connect")).toBe("access-2");
  expect(await getToken("refresh")).toBe("access-3");
  expect(refreshes).toEqual(["refresh-1", "refresh-2"]);
  expect(told).toEqual(["refresh-2", "refresh-3"]);
});

test("errors go to ConnectErrors and back without loss", () => {
  const error = new ChappeClientError("INVALID_ARGUMENT", "bad", {
    retryAfterMs: 5,
    violations: [{ field: "a.b", rule: "len", message: "too long" }],
  });
  const connectError = error.toConnectError();
  expect(connectError).toBeInstanceOf(ConnectError);
  const { name, number, retryAfterMs, violations } = ChappeClientError.from(connectError);
  expect({ name, number, retryAfterMs, violations }).toEqual({
    name: "INVALID_ARGUMENT",
    number: 20,
    retryAfterMs: 5,
    violations: error.violations,
  });
  expect(ChappeClientError.from(new DOMException("x", "AbortError")).name).toBe("CANCELLED");
  expect(ChappeClientError.from("odd").name).toBe("INTERNAL");
});
