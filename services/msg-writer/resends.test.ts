import { randomUUIDv7 } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { encodeLogRecord, type LogRecordEntry } from "@chappe/mesh/codec/log-record.ts";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { createMemoryMessageStore } from "@chappe/mesh/engines/memory-stores/create-memory-message-store.ts";
import { createLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { expect, it, vi } from "vitest";
import { createMsgWriter } from "./msg-writer.ts";

const conversationId = new Uint8Array(16).fill(7);

const newEntry = (): LogRecordEntry => {
  const clientMessageId = Uint8Array.from(Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex"));
  const entry = { conversationId, clientMessageId, senderId: 5n, digest: 1n, deviceId: 9n, kind: EntryKind.USER };
  return { ...entry, traceContext: new Uint8Array(0), body: new Uint8Array(3) };
};

it("an owner that takes over knows every send before it: resends get their first seqs", async () => {
  const directory = mkdtempSync(join(tmpdir(), "chappe-resends-"));
  const log = await createEmbeddedLog({ directory, partitions: 1 });
  const store = createMemoryMessageStore();
  const sends = Array.from({ length: 5 }, newEntry);
  const committed = async (writer: { stats(): { lag: number } }, offset: number): Promise<void> => {
    await vi.waitFor(async () => expect((await store.progress([0])).get(0)?.nextOffset).toBe(offset));
    expect(writer.stats().lag).toBe(0);
  };
  try {
    const first = await createMsgWriter({ log, store, logger: createLogger() });
    for (const send of sends) await log.append("messages", 0, encodeLogRecord([send]));
    await committed(first, 5);
    await first.close();
    const second = await createMsgWriter({ log, store, logger: createLogger() });
    for (const send of sends) await log.append("messages", 0, encodeLogRecord([send]));
    await committed(second, 10);
    expect(second.stats().duplicates).toBe(5);
    expect(await store.heads([conversationId])).toEqual([5]);
    await second.close();
  } finally {
    await log.close();
    rmSync(directory, { recursive: true });
  }
});
