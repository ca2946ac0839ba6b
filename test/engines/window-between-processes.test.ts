import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { conversationOf, idOf, upTo } from "@chappe/bench/support/store-kit.ts";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import {
  ListMessagesRequestSchema,
  ListMessagesResponseSchema,
} from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { openRedis } from "@chappe/mesh/engines/redis/open-redis.ts";
import { createRedisHotWindow } from "@chappe/mesh/engines/redis-hot-window/redis-hot-window.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { createMembershipViews } from "@chappe/mesh/membership/membership-view.ts";
import { createRequestValidator } from "@chappe/mesh/rpc/validator.ts";
import { createMsgReader } from "@chappe/services/msg-reader/msg-reader.ts";
import { createMsgWriter } from "@chappe/services/msg-writer/msg-writer.ts";
import type { Cluster } from "ioredis";
import { expect, test } from "vitest";
import { tempDirectory } from "./log-kit.ts";
import { startMysqlKit } from "./mysql-kit.ts";

const clusterNodes = 3;
const messagesEach = 150;
const perRecord = 5;
const pageMessages = 40;
/** Direct conversations of user 0 with each of these. */
const partners = upTo(1, 6);
const mostMs = 60_000;

function recordOf(partner: number, first: number): Uint8Array {
  const entries = upTo(first, first + perRecord - 1).map((n) => {
    const text = create(MessageContentSchema, { kind: { case: "text", value: { text: `text ${n}` } } });
    const ids = { conversationId: conversationOf(partner), clientMessageId: idOf(), senderId: 0n, deviceId: 9n };
    const body = toBinary(MessageContentSchema, text);
    return { ...ids, digest: bodyDigest(body), kind: EntryKind.USER, traceContext: new Uint8Array(0), body };
  });
  return encodeLogRecord(entries);
}

/** Ends of the same MySQL and Redis Cluster, as a process of its own has them. */
async function openEnds(mysql: Parameters<typeof createMysqlMessageStore>[0], addresses: readonly string[]) {
  const store = await createMysqlMessageStore(mysql);
  const window = createRedisHotWindow({ addresses, timeoutMs: 5_000 });
  const close = async (): Promise<void> => {
    await window.close();
    await store.close();
  };
  return { store, window, close };
}

type Reader = ReturnType<typeof createMsgReader>;

/** The newest page of a conversation, checked to be whole up to the head that it names. */
async function newestPage(reader: Reader, partner: number): Promise<{ head: number; texts: string[] }> {
  const request = { conversationId: conversationOf(partner), limit: pageMessages };
  const payload = toBinary(ListMessagesRequestSchema, create(ListMessagesRequestSchema, request));
  const identity = { kind: "user", userId: BigInt(partner), sessionId: 1n, deviceId: 0n } as const;
  const rest = { affinity: new Uint8Array(0), deadlineMs: Date.now() + mostMs, traceContext: new Uint8Array(0) };
  const { svid } = reader.backend;
  const page = fromBinary(
    ListMessagesResponseSchema,
    await reader.backend.handle({ svid, cmd: 1, payload, identity, ...rest }),
  );
  const head = Number(page.headSeq);
  expect(page.messages.map(({ seq }) => Number(seq))).toEqual(upTo(Math.max(1, head - pageMessages + 1), head));
  const texts = page.messages.map(({ content }) => (content?.kind.case === "text" ? content.kind.value.text : ""));
  return { head, texts };
}

test("a writer and a reader with nothing between them but MySQL and a Redis Cluster that loses its data", async () => {
  const [kit, redis, folder] = await Promise.all([
    startMysqlKit(),
    startRedis({ nodes: clusterNodes }),
    tempDirectory(),
  ]);
  const database = await kit.createDatabase();
  const log = await createEmbeddedLog({ directory: folder.path, onFailed: () => undefined });
  const [a, b] = [await openEnds(database, redis.addresses), await openEnds(database, redis.addresses)];
  const side = openRedis(redis.addresses) as Cluster;
  const writer = await createMsgWriter({ log, store: a.store, window: a.window, logger: silentLogger });
  const membership = createMembershipViews({ store: b.store });
  const reader = createMsgReader({ ...b, membership, validator: createRequestValidator() });
  try {
    const heads = new Map<number, number>();
    const look = async (): Promise<void> => {
      for (const partner of partners) {
        const { head, texts } = await newestPage(reader, partner);
        expect(head).toBeGreaterThanOrEqual(heads.get(partner) ?? 0);
        expect(texts).toEqual(upTo(head - texts.length + 1, head).map((n) => `text ${n}`));
        heads.set(partner, head);
      }
    };
    for (let first = 1; first <= messagesEach; first += perRecord) {
      const appended = partners.map((n) => log.append("messages", n % log.partitions, recordOf(n, first)));
      if (first % 50 === 26) await Promise.all(side.nodes("master").map((node) => node.flushall()));
      await Promise.all([...appended, look()]);
    }
    const total = partners.length * messagesEach;
    await expect.poll(() => writer.stats().committedMessages, { timeout: mostMs }).toBe(total);
    await look();
    expect([...heads.values()]).toEqual(partners.map(() => messagesEach));
    expect(reader.stats()).toMatchObject({ holes: 0, window: { failedCalls: 0 } });
    const { windowMessages, storeMessages } = reader.stats();
    expect(windowMessages).toBeGreaterThan(storeMessages);
  } finally {
    side.disconnect();
    await writer.close();
    await log.close();
    for (const ends of [a, b]) await ends.close();
    await folder.remove();
    await redis.close();
    await kit.close();
  }
}, 120_000);
