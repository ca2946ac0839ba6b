import { create, fromBinary } from "@bufbuild/protobuf";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { SendRequestSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { collect, upTo } from "../../test-support/collect.ts";
import { type Fixture, startFixture } from "../../test-support/fixture.ts";
import type { RequestFault } from "../../test-support/scripted-server.ts";
import { ChappeClientError } from "../client-error.ts";
import { directConversationId, toHex } from "../ids.ts";
import { defaultLimits } from "../limits.ts";
import { createIdClock } from "../uuid-v7.ts";
import { createMemoryOutbox, type OutboxEntry, type OutboxStore } from "./outbox-store.ts";
import { retryDelayMs } from "./send-calls.ts";
import { encodeSend, packSends, toContent } from "./send-request.ts";

const conversation = directConversationId(1n, 2n);
let fixture: Fixture;

beforeEach(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture.close());

/** Faults for the requests of one name, in order; then none. */
function script(name: string, ...faults: (RequestFault | undefined)[]): void {
  const before = fixture.server.faults.request;
  fixture.server.faults.request = (asked, from) => (asked === name ? faults.shift() : before?.(asked, from));
}

/** A store that has `left` from an earlier run. */
function storeWith(...left: OutboxEntry[]): OutboxStore & { readonly entries: Map<string, OutboxEntry> } {
  const entries = new Map(left.map((entry) => [entry.key, entry]));
  return {
    ...createMemoryOutbox(),
    entries,
    open: async () => [...entries.values()],
    async write({ remove = [], put = [] }) {
      for (const key of remove) entries.delete(key);
      for (const entry of put) entries.set(entry.key, entry);
    },
  };
}

function entryOf(text: string, userId = 1n, ageMs = 0): OutboxEntry & { readonly id: Uint8Array } {
  const id = createIdClock(() => Date.now() - ageMs).nextId();
  return { key: toHex(id), id, userId, request: encodeSend(conversation, id, toContent({ text })) };
}

describe("a resend", () => {
  test.each(["cut-before", "cut-after", "ignore"] as const)(
    "after %s has the same bytes and settles once",
    async (fault) => {
      const client = await fixture.join(1);
      script("Send", fault);
      expect(await client.send(conversation, { text: "a" }).sequenced).toEqual({ seq: 1 });
      expect(fixture.server.sends.map(toHex)).toEqual(
        Array(fixture.server.sends.length).fill(toHex(fixture.server.sends[0]!)),
      );
      expect(fixture.server.conversation(conversation).head).toBe(1);
    },
  );

  test("goes on through every retryable refusal", async () => {
    const client = await fixture.join(1);
    script("Send", { refuse: "OVERLOADED", retryAfterMs: 1 }, { refuse: "DISK_FULL" }, { refuse: "UNAVAILABLE" });
    expect(await client.send(conversation, { text: "a" }).sequenced).toEqual({ seq: 1 });
    expect(fixture.server.requests.filter((name) => name === "Send").length).toBe(4);
  });

  test("waits at least as long as the server names, then as the backoff says", () => {
    const error = new ChappeClientError("RATE_LIMITED", undefined, { retryAfterMs: 600 });
    expect(retryDelayMs(error, 0, defaultLimits, () => 0)).toBe(600);
    expect(retryDelayMs(error, 3, defaultLimits, () => 1)).toBe(600 + 8 * defaultLimits.retryBaseMs);
    expect(retryDelayMs(error, 99, defaultLimits, () => 1)).toBe(600 + defaultLimits.retryMaxMs);
    const anHour = new ChappeClientError("RATE_LIMITED", undefined, { retryAfterMs: 3_600_000 });
    expect(retryDelayMs(anHour, 0, defaultLimits, () => 0)).toBe(defaultLimits.maxRetryAfterMs);
  });

  test("that is refused for good is no failure when the first attempt has a seq", async () => {
    const client = await fixture.join(1);
    script("Send", { refuse: "UNAVAILABLE", applied: true }, { refuse: "NOT_A_MEMBER" });
    fixture.server.faults.event = (name) => (name === "SendSettled" ? "lose" : undefined);
    expect(await client.send(conversation, { text: "a" }).sequenced).toEqual({ seq: 1 });
    expect(fixture.server.requests).toContain("GetSend");
  });

  test("that is refused for good fails when the server never had it", async () => {
    const client = await fixture.join(1);
    script("Send", { refuse: "UNAVAILABLE" }, { refuse: "NOT_A_MEMBER" });
    const error = await client.send(conversation, { text: "a" }).sequenced.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "NOT_A_MEMBER", number: 46, retryable: false, outcomeUnknown: false });
    expect(fixture.server.requests).toContain("GetSend");
    expect(client.pending).toEqual([]);
  });

  test("whose fate the server will not tell fails as unknown", async () => {
    const client = await fixture.join(1);
    script("Send", { refuse: "UNAVAILABLE" }, { refuse: "NOT_A_MEMBER" });
    script("GetSend", { refuse: "NOT_A_MEMBER" });
    await expect(client.send(conversation, { text: "a" }).sequenced).rejects.toMatchObject({ outcomeUnknown: true });
  });

  test("waits while the server does not know yet", async () => {
    const client = await fixture.join(1);
    fixture.server.faults = { sequenceDelayMs: () => 30, event: () => "lose" };
    script("Send", { refuse: "UNAVAILABLE", applied: true }, { refuse: "NOT_A_MEMBER" });
    expect(await client.send(conversation, { text: "a" }).sequenced).toEqual({ seq: 1 });
    expect(fixture.server.requests.filter((name) => name === "GetSend").length).toBeGreaterThan(1);
  });
});

describe("an acknowledged send", () => {
  test("whose settling is lost is asked for, and its message comes by history", async () => {
    const client = await fixture.join(1);
    const seen = collect(client);
    fixture.server.faults.event = () => "lose";
    const handle = client.send(conversation, { text: "a" });
    expect(await handle.sequenced).toEqual({ seq: 1 });
    await seen.reached(conversation, 1);
    expect(seen.all[0]).toMatchObject({ seq: 1, text: "a", own: true });
  });

  test("settles by its own message in history", async () => {
    const store = storeWith(entryOf("left"));
    const left = [...store.entries.values()][0] as ReturnType<typeof entryOf>;
    fixture.server.conversation(conversation).append(1n, 5n, fromBinary(SendRequestSchema, left.request).messages);
    fixture.server.conversation(conversation).sequence();
    script("Send", "ignore", "ignore", "ignore");
    const client = await fixture.join(1, { outbox: store, userId: 1n, limits: { callTimeoutMs: 5_000 } });
    const [handle] = client.pending;
    expect(await handle!.sequenced).toEqual({ seq: 1 });
    await client.close();
    expect(store.entries.size).toBe(0);
  });

  test("that the server lost without a trace is sent again", async () => {
    const client = await fixture.join(1);
    const { server } = fixture;
    const model = server.conversation(conversation);
    const append = model.append.bind(model);
    let lost = 0;
    model.append = (...args) => (lost++ === 0 ? undefined : append(...args));
    expect(await client.send(conversation, { text: "a" }).sequenced).toEqual({ seq: 1 });
    expect(server.changedResends).toEqual([]);
  });
});

describe("what an earlier run left", () => {
  test("is sent in order, and other users' entries are left alone", async () => {
    const entries = [entryOf("1"), entryOf("2"), entryOf("3", 9n)];
    const store = storeWith(...entries);
    const client = await fixture.join(1, { outbox: store });
    await Promise.all(client.pending.map((handle) => handle.sequenced));
    const texts = fixture.server.conversation(conversation).messages.map((message) => message.content?.kind.value);
    expect(texts).toMatchObject([{ text: "1" }, { text: "2" }]);
    expect([...store.entries.keys()]).toEqual([entries[2]!.key]);
  });

  test("is told to the application when it is taken over, at once or later", async () => {
    const [early, late] = [entryOf("1"), entryOf("2")];
    const adopt = Promise.withResolvers<(entries: readonly OutboxEntry[]) => void>();
    const store: OutboxStore = {
      ...storeWith(),
      open: async (onAdopted) => {
        adopt.resolve(onAdopted);
        return [early];
      },
    };
    const told: string[][] = [];
    await fixture.join(1, {
      outbox: store,
      onAdopted: (sends) => told.push(sends.map((send) => toHex(send.clientMessageId))),
    });
    expect(told).toEqual([[early.key]]);
    (await adopt.promise)([late, entryOf("3", 9n)]);
    expect(told).toEqual([[early.key], [late.key]]);
  });

  test("gets a fresh id when it is too old and the server never had it", async () => {
    const old = entryOf("old", 1n, 72 * 3_600_000);
    const store = storeWith(old);
    script("Send", { refuse: "ID_TIME_OUT_OF_RANGE" });
    const client = await fixture.join(1, { outbox: store });
    const [handle] = client.pending;
    expect(await handle!.sequenced).toEqual({ seq: 1 });
    expect(toHex(handle!.clientMessageId)).not.toBe(old.key);
    await client.close();
    expect(store.entries.size).toBe(0);
  });

  test("keeps its seq when it is too old and the server had it", async () => {
    const old = entryOf("old", 1n, 72 * 3_600_000);
    const model = fixture.server.conversation(conversation);
    model.append(1n, 5n, fromBinary(SendRequestSchema, old.request).messages);
    model.sequence();
    script("Send", { refuse: "ID_TIME_OUT_OF_RANGE" });
    script("ListHeads", "ignore");
    const client = await fixture.join(1, { outbox: storeWith(old) });
    expect(await client.pending[0]!.sequenced).toEqual({ seq: 1 });
    expect(model.head).toBe(1);
  });

  test("ends as a conflict when its id stands for something else", async () => {
    const mine = entryOf("mine");
    const model = fixture.server.conversation(conversation);
    const content = create(MessageContentSchema, { kind: { case: "text", value: { text: "other" } } });
    model.append(1n, 5n, [{ $typeName: "chappe.msg.v1.OutgoingMessage", clientMessageId: mine.id, content }]);
    model.sequence();
    const client = await fixture.join(1, { outbox: storeWith(mine) });
    await expect(client.pending[0]!.sequenced).rejects.toMatchObject({ name: "ALREADY_EXISTS" });
    expect(model.head).toBe(1);
  });
});

test("a call of one conversation leaves when the last one is acknowledged, and holds up no other conversation", async () => {
  const client = await fixture.join(1, { limits: { callTimeoutMs: 5_000 } });
  const other = directConversationId(1n, 3n);
  const free = Promise.withResolvers<void>();
  script("Send", { until: free.promise });
  const first = client.send(conversation, { text: "1" });
  await expect.poll(() => fixture.server.requests).toContain("Send");
  const rest = ["2", "3"].map((text) => client.send(conversation, { text }));
  await client.send(other, { text: "elsewhere" }).sequenced;
  await client.conversation(conversation).history();
  expect(fixture.server.requests.filter((name) => name === "Send").length).toBe(2);
  expect([first, ...rest].map((handle) => handle.state)).toEqual(["sending", "waiting", "waiting"]);
  free.resolve();
  await Promise.all(rest.map((handle) => handle.sequenced));
  expect([first, ...rest].map((handle) => handle.seq)).toEqual([1, 2, 3]);
});

describe("a packed call", () => {
  test("that is refused for one message fails that one and sends the others", async () => {
    const client = await fixture.join(1);
    script("Send", { refuse: "INVALID_ARGUMENT", fields: ["messages[1].content"] });
    const handles = upTo(3).map((n) => client.send(conversation, { text: `${n}` }));
    const [first, second, third] = await Promise.allSettled(handles.map((handle) => handle.sequenced));
    expect([first!.status, second!.status, third!.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(fixture.server.conversation(conversation).head).toBe(2);
  });

  test("is the concatenation of its messages", () => {
    const ids = createIdClock();
    const requests = upTo(3).map((n) => encodeSend(conversation, ids.nextId(), toContent({ text: `${n}` })));
    const { conversationId, messages } = fromBinary(SendRequestSchema, packSends(requests));
    expect(toHex(conversationId)).toBe(toHex(conversation));
    expect(messages.map((message) => message.content?.kind.value)).toMatchObject([
      { text: "1" },
      { text: "2" },
      { text: "3" },
    ]);
  });
});

test("a send is stored before it is sent, and fails when it cannot be", async () => {
  const stored = Promise.withResolvers<void>();
  const store: OutboxStore = { ...createMemoryOutbox(), write: () => stored.promise };
  const client = await fixture.join(1, { outbox: store });
  const handle = client.send(conversation, { text: "a" });
  await client.conversation(conversation).history();
  expect(fixture.server.requests).not.toContain("Send");
  stored.reject(new Error("disk full"));
  await expect(handle.sequenced).rejects.toMatchObject({ name: "INTERNAL" });
  expect(fixture.server.requests).not.toContain("Send");
});
