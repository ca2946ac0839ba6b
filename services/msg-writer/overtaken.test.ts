import { randomUUIDv7 } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { decodePushRecord } from "@chappe/mesh/codec/push-record.ts";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createMsgWriter } from "./msg-writer.ts";

const conversationId = new Uint8Array(16).fill(7);
const clientMessageId = Uint8Array.from(Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex"));
const send = { conversationId, clientMessageId, senderId: 5n, digest: 1n };
const entry = { ...send, deviceId: 9n, kind: EntryKind.USER, traceContext: new Uint8Array(0), body: new Uint8Array(3) };
let directory: string;
let log: Log;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "chappe-overtaken-"));
  log = await createEmbeddedLog({ directory, partitions: 1 });
});
afterEach(async () => {
  await log.close();
  rmSync(directory, { recursive: true });
});

/** A store in which a successor claims the partition and commits its first record just before heads are read. */
function overtakenStore(): MessageStore {
  const store = createMemoryMessageStore();
  let isOvertaken = false;
  const overtake = async (): Promise<void> => {
    if (isOvertaken) return;
    isOvertaken = true;
    const epoch = (await store.claim([0])).get(0)!.epoch;
    await store.commit({
      progress: [{ partition: 0, epoch, fromOffset: 0, nextOffset: 1 }],
      runs: [{ conversationId, firstSeq: 1, count: 1, bytes: new Uint8Array(1) }],
      sends: [{ ...send, seq: 1, loggedTimeMs: 1 }],
      members: [],
    });
  };
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...args: unknown[]) => unknown;
      return name === "heads" ? async (...args: unknown[]) => overtake().then(() => call(...args)) : call;
    },
  });
}

test("an owner that was overtaken before it read the heads pushes nothing of what its successor has numbered", async () => {
  const store = overtakenStore();
  const pushed: number[] = [];
  const watched: Log = {
    partitions: log.partitions,
    end: (topic, partition) => log.end(topic, partition),
    subscribe: (topic, group, consumer) => log.subscribe(topic, group, consumer),
    close: () => log.close(),
    append(topic, partition, payload) {
      if (topic === "push") for (const { lastSeq } of decodePushRecord(payload)) pushed.push(lastSeq);
      return log.append(topic, partition, payload);
    },
  };
  const writer = await createMsgWriter({ log: watched, store, logger: createLogger() });
  await log.append("messages", 0, encodeLogRecord([entry]));
  await vi.waitFor(async () => expect((await store.progress([0])).get(0)).toEqual({ nextOffset: 1, epoch: 3 }));
  await writer.close();
  expect(pushed).toEqual([]);
  expect(await store.heads([conversationId])).toEqual([1]);
});
