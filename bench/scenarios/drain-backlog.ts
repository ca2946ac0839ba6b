import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { createKafkaLog } from "@chappe/mesh/engines/kafka-log/create-kafka-log.ts";
import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { directConversationId, partitionOf } from "@chappe/mesh/ids/conversation-id.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { type DistributedMesh, distributedPartitions } from "../support/distributed-mesh.ts";
import { cpuSecondsOf } from "../support/process-usage.ts";
import { idOf } from "../support/store-kit.ts";
import { type BacklogFigures, rounded } from "./bench-options.ts";

const messages = 100_000;
const conversations = 1_000;
const perRecord = 50;
const recordsAtOnce = 64;
const pollMs = 20;
const writer = "msg-writer";

/** Users of the load, far from registered ones: nobody is online, so pushes cost their look-up only. */
const firstUser = 1n << 40n;
/** A text of 100 bytes, as the other loads send it. */
const body = Uint8Array.from([0x0a, 102, 0x0a, 100, ...Buffer.alloc(100, "chappe ")]);

function recordOf(index: number): { readonly partition: number; readonly payload: Uint8Array } {
  const senderId = firstUser + BigInt(2 * (index % conversations));
  const conversationId = directConversationId(senderId, senderId + 1n);
  const digest = bodyDigest(body);
  const entries = Array.from({ length: perRecord }, () => ({
    ...{ conversationId, senderId, clientMessageId: idOf(), digest, body },
    ...{ deviceId: 1n, kind: 1, traceContext: new Uint8Array(0) },
  }));
  return { partition: partitionOf(conversationId, distributedPartitions), payload: encodeLogRecord(entries) };
}

/** Puts the backlog on the log; answers where each partition ends. */
async function feed(log: Log): Promise<ReadonlyMap<number, number>> {
  const ends = new Map<number, number>();
  for (let at = 0; at < messages / perRecord; at += recordsAtOnce) {
    const count = Math.min(recordsAtOnce, messages / perRecord - at);
    const records = Array.from({ length: count }, (_, i) => recordOf(at + i));
    await Promise.all(
      records.map(async ({ partition, payload }) => {
        const { offset } = await log.append("messages", partition, payload);
        ends.set(partition, Math.max(offset + 1, ends.get(partition) ?? 0));
      }),
    );
  }
  return ends;
}

/** Records that are not committed yet. */
async function missing(store: MessageStore, ends: ReadonlyMap<number, number>): Promise<number> {
  const progress = await store.progress([...ends.keys()]);
  let left = 0;
  for (const [partition, end] of ends) left += Math.max(0, end - (progress.get(partition)?.nextOffset ?? 0));
  return left;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, pollMs));
}

/** Stops the writer, puts a backlog on the log, starts one writer and measures from its first commit to the last one. */
export async function drainBacklog({ mesh, kafka, mariadb }: DistributedMesh): Promise<BacklogFigures> {
  await mesh.stop(writer);
  const log = await createKafkaLog({ brokers: kafka.addresses, partitions: distributedPartitions });
  const store = await createMysqlMessageStore(mariadb.login);
  try {
    const ends = await feed(log);
    const whole = await missing(store, ends);
    const restarted = mesh.restart(writer);
    await until(async () => (await missing(store, ends)) < whole);
    const startMs = performance.now();
    const first = await missing(store, ends);
    const mariadbCpu = cpuSecondsOf(mariadb.pid);
    await until(async () => (await missing(store, ends)) === 0);
    const seconds = (performance.now() - startMs) / 1_000;
    const mariadbMs = (cpuSecondsOf(mariadb.pid) - mariadbCpu) * 1_000;
    await restarted;
    const drained = first * perRecord;
    return {
      messages: drained,
      msgsPerSecond: rounded(drained / seconds),
      mariadbCoreMsPerMessage: rounded(mariadbMs / drained),
    };
  } finally {
    await store.close();
    await log.close();
  }
}
