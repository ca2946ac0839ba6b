import { create } from "@bufbuild/protobuf";
import { SyncService } from "@chappe/gen/proto/chappe/business/v1/sync_service_pb.ts";
import { ErrorDetailSchema } from "@chappe/gen/proto/chappe/mesh/v1/error_pb.ts";
import { ReceiptSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { HistoryService, MessageService } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Fixture, startFixture, statusOf } from "../../test-support/fixture.ts";
import type { ChappeClient } from "../client.ts";
import { ChappeClientError } from "../client-error.ts";
import { directConversationId } from "../ids.ts";

const conversationId = directConversationId(1n, 2n);
let fixture: Fixture;
let client: ChappeClient;

beforeEach(async () => {
  fixture = await startFixture();
  client = await fixture.join(1);
  await statusOf(client, "online");
});
afterEach(() => fixture.close());

const failure = (promise: Promise<unknown>): Promise<ConnectError> =>
  promise.then(
    () => expect.unreachable("it should fail"),
    (error: unknown) => error as ConnectError,
  );

test("a service's client works as over HTTP", async () => {
  const history = createClient(HistoryService, client.transport);
  expect(await history.listMessages({ conversationId })).toMatchObject({ headSeq: 0n, firstSeq: 1n });
  expect(client.call(HistoryService)).toBe(client.call(HistoryService));
});

test("refusals are ConnectErrors with the detail", async () => {
  fixture.server.faults.request = () => ({ refuse: "NOT_A_MEMBER", fields: ["conversation_id"], retryAfterMs: 0 });
  const error = await failure(client.call(HistoryService).listMessages({ conversationId }));
  expect(error).toBeInstanceOf(ConnectError);
  expect(error.code).toBe(Code.PermissionDenied);
  const [detail] = error.findDetails(ErrorDetailSchema);
  expect(detail).toMatchObject({ number: 46, name: "NOT_A_MEMBER", violations: [{ field: "conversation_id" }] });
  expect(ChappeClientError.from(error)).toMatchObject({ name: "NOT_A_MEMBER", number: 46, retryable: false });
});

test("a deadline and an abort end the call in Connect's words", async () => {
  fixture.server.faults.request = () => "ignore";
  const late = await failure(client.call(SyncService).listHeads({}, { timeoutMs: 10 }));
  expect(late.code).toBe(Code.DeadlineExceeded);
  const aborted = await failure(client.call(SyncService).listHeads({}, { signal: AbortSignal.timeout(10) }));
  expect(aborted.code).toBe(Code.Canceled);
});

test("a repeatable call survives the loss of the connection, another does not", async () => {
  let cuts = 0;
  fixture.server.faults.request = (name) => (name === "GetCursors" && cuts++ === 0 ? "cut-before" : undefined);
  await client.call(SyncService).getCursors({ conversationId }, { timeoutMs: 15_000 });
  expect(cuts).toBe(2);
  const { AuthService } = await import("@chappe/gen/proto/chappe/business/v1/auth_service_pb.ts");
  await statusOf(client, "online");
  const lost = failure(client.call(AuthService).signIn({ name: "a", password: "b" }, { timeoutMs: 15_000 }));
  for (const connection of fixture.server.connections) connection.close();
  expect((await lost).code).toBe(Code.Unavailable);
});

test("a call without a connection waits for one until its time is over", async () => {
  for (const connection of fixture.server.connections) connection.close(1001);
  await statusOf(client, "offline");
  const answer = client.call(HistoryService).listMessages({ conversationId }, { timeoutMs: 15_000 });
  expect(await answer).toMatchObject({ headSeq: 0n });
});

test("everything of one turn is one frame", async () => {
  const [connection] = fixture.server.connections;
  const before = connection!.frameSizes.length;
  await Promise.all(Array.from({ length: 20 }, () => client.call(MessageService).getSend({ conversationId })));
  expect(connection!.frameSizes.slice(before)).toEqual([20]);
});

test("a streaming method is refused in clear words", async () => {
  const method = { ...HistoryService.method.listMessages, methodKind: "server_streaming" } as never;
  const stream = client.transport.stream(method, undefined, undefined, undefined, (async function* () {})());
  await expect(stream).rejects.toMatchObject({ code: Code.Unimplemented });
});

test("what is no event cannot be listened to", async () => {
  expect(() => client.events(ErrorDetailSchema)).toThrowError(/not a server event/);
  const events = client.events(ReceiptSchema, { signal: AbortSignal.abort() });
  expect(await events.next()).toEqual({ done: true, value: undefined });
  expect(create(ReceiptSchema).readSeq).toBe(0n);
});

test("closing rejects what is open and ends the iterators", async () => {
  fixture.server.faults.request = () => "ignore";
  const call = failure(client.call(SyncService).listHeads({}, { timeoutMs: 5_000 }));
  const ends = [client.messages().next(), client.events(ReceiptSchema).next()];
  await client.close();
  expect((await call).code).toBe(Code.Canceled);
  for (const end of ends) expect(await end).toEqual({ done: true, value: undefined });
  const statuses = [];
  for await (const status of client.statusChanges()) statuses.push(status.state);
  expect(statuses).toEqual(["closed"]);
});
