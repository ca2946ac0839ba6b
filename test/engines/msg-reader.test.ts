import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Committing, conversationOf, upTo } from "@chappe/bench/support/store-kit.ts";
import {
  ListMessagesRequestSchema,
  ListMessagesResponseSchema,
  ListRangesRequestSchema,
  ListRangesResponseSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { createMemoryHotWindow } from "@chappe/mesh/engines/memory-hot-window/memory-hot-window.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createMsgReader } from "@chappe/services/msg-reader/msg-reader.ts";
import { Code } from "@connectrpc/connect";
import { beforeAll, expect, test } from "vitest";
import { textRun } from "../support/text-run.ts";

/** The direct conversation of users 0 and 1. */
const conversationId = conversationOf(1);
const head = 60;
/** The oldest message that the store still has. */
const storedFrom = 21;
const timeOf = (seq: number): number => 2_000 + seq;

const unreachable: MessageHistory = {
  put: () => Promise.reject(new ChappeError("UNAVAILABLE")),
  readRange: () => Promise.reject(new ChappeError("UNAVAILABLE")),
  close: async () => {},
};
let reader: ReturnType<typeof createMsgReader>;

beforeAll(async () => {
  const store = createMemoryMessageStore();
  const writer = new Committing(store);
  await writer.claim();
  await writer.commit([textRun(conversationId, storedFrom, head - storedFrom + 1, timeOf)]);
  const window = createMemoryHotWindow();
  // Ahead of the commit, as another process's window may be.
  await window.append([textRun(conversationId, 50, 20, timeOf)]);
  const membership = createMembershipViews({ store });
  reader = createMsgReader({ store, window, history: unreachable, membership, validator: createRequestValidator() });
});

async function call(cmd: number, payload: Uint8Array): Promise<Uint8Array> {
  const identity = { kind: "user", userId: 1n, sessionId: 1n, deviceId: 0n } as const;
  const rest = { affinity: new Uint8Array(0), deadlineMs: Date.now() + 5_000, traceContext: new Uint8Array(0) };
  return reader.backend.handle({ svid: reader.backend.svid, cmd, payload, identity, ...rest });
}

async function list(fields: object): Promise<{ seqs: number[]; headSeq: number }> {
  const request = create(ListMessagesRequestSchema, { conversationId, ...fields });
  const page = fromBinary(ListMessagesResponseSchema, await call(1, toBinary(ListMessagesRequestSchema, request)));
  return { seqs: page.messages.map(({ seq }) => Number(seq)), headSeq: Number(page.headSeq) };
}

async function ranges(...spans: [number, number][]): Promise<number[][]> {
  const list = spans.map(([from, to]) => ({ conversationId, fromSeq: BigInt(from), toSeq: BigInt(to) }));
  const request = create(ListRangesRequestSchema, { ranges: list });
  const answer = fromBinary(ListRangesResponseSchema, await call(2, toBinary(ListRangesRequestSchema, request)));
  return answer.pages.map((page) => page.messages.map(({ seq }) => Number(seq)));
}

const unavailable = expect.objectContaining({
  row: expect.objectContaining({ name: "HISTORY_UNAVAILABLE", code: Code.Unavailable, retryable: true }),
});

test("what the window and the store have is read while the history is out of reach", async () => {
  expect(await list({ limit: 30 })).toEqual({ seqs: upTo(31, 60), headSeq: head });
  expect(await list({ beforeSeq: 41n, limit: 20 })).toEqual({ seqs: upTo(21, 40), headSeq: head });
  expect(await list({ fromSeq: 21n })).toEqual({ seqs: upTo(21, 60), headSeq: head });
  expect(await list({ aroundSeq: 26n, limit: 10 })).toEqual({ seqs: upTo(21, 30), headSeq: head });
  expect(await list({ fromTimeMs: BigInt(timeOf(50)) })).toEqual({ seqs: upTo(50, 60), headSeq: head });
  expect(await ranges([30, 60], [21, 25])).toEqual([upTo(30, 60), upTo(21, 25)]);
});

test.each([
  ["from a seq that it has", { fromSeq: 1n }],
  ["from a seq that it has to one that it has", { fromSeq: 1n, limit: 5 }],
  ["before", { beforeSeq: 21n }],
  ["before, partly in the store", { beforeSeq: 30n, limit: 10 }],
  ["the newest, more than the others have", { limit: 41 }],
  ["around", { aroundSeq: 25n, limit: 10 }],
  ["by time", { fromTimeMs: 2_010n }],
])("a page that needs it is HISTORY_UNAVAILABLE, neither empty nor shorter: %s", async (_name, fields) => {
  await expect(list(fields)).rejects.toEqual(unavailable);
});

test("and so are ranges, whichever of them it is", async () => {
  await expect(ranges([20, 60])).rejects.toEqual(unavailable);
  await expect(ranges([30, 60], [1, 5], [40, 41])).rejects.toEqual(unavailable);
});

test("the window never shows more than is committed", async () => {
  expect(await list({ limit: 40 })).toEqual({ seqs: upTo(21, 60), headSeq: head });
  expect(await list({ fromSeq: 58n })).toEqual({ seqs: [58, 59, 60], headSeq: head });
  expect(await list({ fromSeq: 61n })).toEqual({ seqs: [], headSeq: head });
  expect(await list({ aroundSeq: 60n, limit: 8 })).toEqual({ seqs: upTo(56, 60), headSeq: head });
  expect(await list({ fromTimeMs: 2_065n })).toEqual({ seqs: [], headSeq: head });
  expect(await ranges([55, 68], [62, 68], [59, 0])).toEqual([upTo(55, 60), [], [59, 60]]);
  await expect(list({ fromSeq: 62n })).rejects.toMatchObject({ row: { name: "NOT_YET" } });
});

test("ranges of one call share its messages: the first get theirs, the others are to be asked for again", async () => {
  const spans = Array.from({ length: 7 }, (): [number, number] => [21, 60]);
  const whole = upTo(21, 60);
  expect(await ranges(...spans)).toEqual([whole, whole, whole, whole, whole, [], []]);
  expect(await ranges([21, 60], [21, 60], [21, 60], [21, 60], [31, 60], [41, 60], [50, 50])).toEqual([
    ...[whole, whole, whole, whole, upTo(31, 60), upTo(41, 50), []],
  ]);
});
