import { create, fromBinary } from "@bufbuild/protobuf";
import { DeliveryAckSchema, HeadHintSchema } from "@chappe/gen/proto/chappe/edge/v1/session_pb.ts";
import { MessageArrivedSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { OutgoingMessageSchema } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { afterEach, describe, expect, test } from "vitest";
import { collect, upTo } from "../../test-support/collect.ts";
import { type Fixture, startFixture, statusOf } from "../../test-support/fixture.ts";
import type { ScriptedServerOptions } from "../../test-support/scripted-server.ts";
import { directConversationId, toHex } from "../ids.ts";
import { toContent } from "../outbox/send-request.ts";
import { createIdClock } from "../uuid-v7.ts";
import { type Cursor, createMemoryCursors } from "./cursor-store.ts";

const conversation = directConversationId(1n, 2n);
const ids = createIdClock();
let fixture: Fixture;

afterEach(() => fixture.close());

async function start(options: ScriptedServerOptions = {}): Promise<void> {
  fixture = await startFixture(options);
}

/** Puts `count` messages of user 2 into a conversation, without pushing them. */
function write(count: number, id = conversation): void {
  const model = fixture.server.conversation(id);
  for (let i = 0; i < count; i++) {
    const content = toContent({ text: `${i}` });
    model.append(2n, 9n, [create(OutgoingMessageSchema, { clientMessageId: ids.nextId(), content })]);
  }
  model.sequence();
}

/** Pushes messages of the conversation to everybody. */
function push(...seqs: number[]): void {
  const { messages } = fixture.server.conversation(conversation);
  for (const connection of fixture.server.connections)
    connection.push(MessageArrivedSchema, {
      conversationId: conversation,
      messages: seqs.map((seq) => messages[seq - 1]!),
    });
}

const count = (name: string): number => fixture.server.requests.filter((request) => request === name).length;

describe("catching up", () => {
  test("pulls every conversation, whatever the pages", async () => {
    await start({ pageMessages: 7, headsPage: 2 });
    const others = upTo(5).map((n) => directConversationId(1n, BigInt(10 + n)));
    for (const id of others) write(30, id);
    const client = await fixture.join(1);
    const seen = collect(client);
    await statusOf(client, "online");
    for (const id of others) expect(seen.seqs(id)).toEqual(upTo(30));
    expect(count("ListHeads")).toBe(3);
  });

  test("begins after the cursor, and saves what the application is done with", async () => {
    await start();
    write(10);
    const saved: Cursor[] = [];
    const cursors = {
      ...createMemoryCursors([[conversation, 7]]),
      save: async (c: readonly Cursor[]) => void saved.push(...c),
    };
    const client = await fixture.join(1, { cursors });
    const taken: number[] = [];
    for await (const message of client.messages()) {
      taken.push(message.seq);
      if (message.seq === 10) break;
    }
    await client.close();
    expect(taken).toEqual([8, 9, 10]);
    expect(saved.at(-1)![1]).toBe(10);
  });

  test("does not call a message done that the application has not asked beyond", async () => {
    await start();
    write(3);
    const saved: Cursor[] = [];
    const cursors = { ...createMemoryCursors(), save: async (c: readonly Cursor[]) => void saved.push(...c) };
    const client = await fixture.join(1, { cursors, limits: { cursorSaveMs: 0 } });
    const messages = client.messages();
    await messages.next();
    await messages.next();
    await statusOf(client, "online");
    await client.conversation(conversation).history();
    expect(saved.at(-1)![1]).toBe(1);
  });

  test("with backlog none takes only what comes afterwards", async () => {
    await start();
    write(5);
    const client = await fixture.join(1, { backlog: "none" });
    const seen = collect(client);
    await statusOf(client, "online");
    write(1);
    push(6);
    await seen.reached(conversation, 1);
    expect(seen.seqs(conversation)).toEqual([6]);
  });

  test("passes over what came before the user joined", async () => {
    await start();
    write(9);
    fixture.server.conversation(conversation).firstSeqs.set(1n, 5);
    const client = await fixture.join(1);
    const seen = collect(client);
    await statusOf(client, "online");
    expect(seen.seqs(conversation)).toEqual([5, 6, 7, 8, 9]);
  });

  test("asks again for heads and ranges that are refused", async () => {
    await start();
    write(5);
    const refusals = new Map([
      ["ListHeads", 2],
      ["ListRanges", 2],
    ]);
    fixture.server.faults.request = (name) => {
      const left = refusals.get(name) ?? 0;
      refusals.set(name, left - 1);
      return left > 0 ? { refuse: name === "ListRanges" ? "NOT_YET" : "UNAVAILABLE" } : undefined;
    };
    const client = await fixture.join(1);
    const seen = collect(client);
    await seen.reached(conversation, 5);
    expect(seen.seqs(conversation)).toEqual(upTo(5));
  });

  test("one conversation that cannot be read stops no other", async () => {
    await start();
    const other = directConversationId(1n, 3n);
    write(3);
    write(3, other);
    fixture.server.conversation(other).messages.length = 0;
    Object.defineProperty(fixture.server.conversation(other), "head", { value: 3 });
    fixture.server.faults.request = (name) =>
      name === "ListRanges" && count("ListRanges") < 3 ? { refuse: "HOLE" } : undefined;
    const client = await fixture.join(1);
    const seen = collect(client);
    await statusOf(client, "online");
    expect(client.conversation(other).have).toBe(0);
    expect(seen.seqs(other)).toEqual([]);
  });

  test("one whose older messages are out of reach for now stops no other, not even until they are back", async () => {
    await start();
    const other = directConversationId(1n, 3n);
    write(3, other);
    write(3);
    fixture.server.conversation(other).refusal = "HISTORY_UNAVAILABLE";
    // Whoever waits before it asks again waits for longer than the test.
    const client = await fixture.join(1, { limits: { retryBaseMs: 3_600_000, retryMaxMs: 7_200_000 } });
    const seen = collect(client);
    await seen.reached(conversation, 3);
    expect(seen.seqs(other)).toEqual([]);
  });
});

describe("pushes", () => {
  test("out of order, twice and with a gap that closes by itself are put right without a question", async () => {
    await start();
    const client = await fixture.join(1, { limits: { gapHoldMs: 5_000 } });
    const seen = collect(client);
    await statusOf(client, "online");
    write(6);
    push(1);
    push(3);
    push(2);
    push(2, 3);
    push(6, 5);
    push(4);
    await seen.reached(conversation, 6);
    expect(seen.seqs(conversation)).toEqual(upTo(6));
    expect(count("ListRanges")).toBe(0);
  });

  test("with a lost one in between: only the gap is fetched", async () => {
    await start();
    const client = await fixture.join(1);
    const seen = collect(client);
    await statusOf(client, "online");
    write(5);
    push(1);
    push(3, 4, 5);
    await seen.reached(conversation, 5);
    expect(seen.seqs(conversation)).toEqual(upTo(5));
    expect(count("ListRanges")).toBe(1);
  });

  test("of a conversation nobody has named begin where the user may read", async () => {
    await start();
    const client = await fixture.join(1);
    const seen = collect(client);
    await statusOf(client, "online");
    write(8);
    fixture.server.conversation(conversation).firstSeqs.set(1n, 6);
    push(8);
    await seen.reached(conversation, 3);
    expect(seen.seqs(conversation)).toEqual([6, 7, 8]);
  });

  test("lost at the tail are found by the hint, and the hint for what is here is acknowledged again", async () => {
    await start();
    const client = await fixture.join(1);
    const seen = collect(client);
    await statusOf(client, "online");
    write(4);
    const [connection] = fixture.server.connections;
    const hint = (): void => connection!.push(HeadHintSchema, { unacked: [{ conversationId: conversation, seq: 4n }] });
    hint();
    await seen.reached(conversation, 4);
    await client.conversation(conversation).history();
    const before = connection!.ackPackets.length;
    hint();
    await expect.poll(() => connection!.ackPackets.length).toBeGreaterThan(before);
    expect(connection!.acked.get(toHex(conversation))).toBe(4);
  });

  test("dropped by the server are found by comparing heads", async () => {
    await start();
    const client = await fixture.join(1);
    const seen = collect(client);
    await statusOf(client, "online");
    write(2);
    for (const connection of fixture.server.connections) connection.push(HeadHintSchema, { compareHeads: true });
    await seen.reached(conversation, 2);
    expect(count("ListHeads")).toBe(2);
  });

  test("are acknowledged together, at once after a pause", async () => {
    await start();
    const client = await fixture.join(1, { limits: { ackIntervalMs: 50 } });
    const seen = collect(client);
    await statusOf(client, "online");
    write(30);
    for (const seq of upTo(30)) push(seq);
    await seen.reached(conversation, 30);
    const [connection] = fixture.server.connections;
    await expect.poll(() => connection!.acked.get(toHex(conversation))).toBe(30);
    expect(connection!.ackPackets.length).toBeLessThan(10);
    for (const packet of connection!.ackPackets)
      expect(fromBinary(DeliveryAckSchema, packet.payload).acks.length).toBeLessThanOrEqual(64);
  });
});

describe("an application that does not read", () => {
  test("is not acknowledged for beyond its buffer, and gets everything when it reads again", async () => {
    await start();
    write(100);
    const client = await fixture.join(1, { limits: { maxBufferedMessages: 10 } });
    await statusOf(client, "online");
    const [connection] = fixture.server.connections;
    await client.conversation(conversation).history();
    expect(client.conversation(conversation)).toMatchObject({ head: 100, have: 10 });
    expect(connection!.acked.get(toHex(conversation))).toBe(10);
    const seen = collect(client);
    await seen.reached(conversation, 100);
    expect(seen.seqs(conversation)).toEqual(upTo(100));
  });

  test("of one conversation gets it by its own iterator, without holding up the others", async () => {
    await start();
    const other = directConversationId(1n, 3n);
    write(50);
    write(50, other);
    const client = await fixture.join(1, { limits: { maxBufferedMessages: 10 } });
    const taken: number[] = [];
    for await (const message of client.conversation(other).messages()) if (taken.push(message.seq) === 50) break;
    expect(taken).toEqual(upTo(50));
    const seen = collect(client);
    await seen.reached(conversation, 50);
    expect(seen.seqs(conversation)).toEqual(upTo(50));
  });

  test("that stops and starts again misses nothing", async () => {
    await start();
    write(20);
    const client = await fixture.join(1);
    const taken: number[] = [];
    for await (const { seq } of client.messages()) if (taken.push(seq) === 5) break;
    for await (const { seq } of client.messages()) if (taken.push(seq) === 20) break;
    expect(taken).toEqual(upTo(20));
  });
});
