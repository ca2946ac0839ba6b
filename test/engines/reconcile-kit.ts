import { create, toBinary } from "@bufbuild/protobuf";
import { conversationOf, idOf } from "@chappe/bench/support/store-kit.ts";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { ByteWriter } from "@chappe/mesh/codec/byte-writer.ts";
import { encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { appendTaggedMessage } from "@chappe/mesh/codec/message-events.ts";
import { cutRuns } from "@chappe/mesh/engines/cut-runs.ts";
import { conversationKey, partitionOf } from "@chappe/mesh/ids/conversation-id.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import type { MessageRun, MessageStore, SendRow } from "@chappe/mesh/ports/message-store.ts";

/** One message, as all tiers should have it. */
export interface PlantedMessage {
  readonly seq: number;
  readonly clientMessageId: Uint8Array;
  /** Undefined = a placeholder. */
  readonly body: Uint8Array | undefined;
}

const senderId = 7n;

/** Messages 1 to `count`. */
export function messagesOf(count: number): (PlantedMessage & { readonly body: Uint8Array })[] {
  return Array.from({ length: count }, (_, index) => ({
    seq: index + 1,
    clientMessageId: idOf(),
    body: bodyOf(`message ${index + 1}`),
  }));
}

/** An encoded content. */
export function bodyOf(text: string): Uint8Array {
  const content = create(MessageContentSchema, { kind: { case: "text", value: { text } } });
  return toBinary(MessageContentSchema, content);
}

/** Messages as runs, a new one after each gap. */
export function runsOf(conversation: number, messages: readonly PlantedMessage[]): MessageRun[] {
  const runs: { firstSeq: number; count: number; writer: ByteWriter }[] = [];
  for (const { seq, clientMessageId, body } of messages) {
    let run = runs.at(-1);
    if (run === undefined || run.firstSeq + run.count !== seq) {
      run = { firstSeq: seq, count: 0, writer: new ByteWriter() };
      runs.push(run);
    }
    const times = { sentTimeMs: 1_000, loggedTimeMs: 2_000 };
    appendTaggedMessage(run.writer, {
      seq,
      senderId,
      clientMessageId,
      ...times,
      kind: body === undefined ? 3 : 1,
      content: body,
    });
    run.count++;
  }
  const conversationId = conversationOf(conversation);
  return runs.map(({ firstSeq, count, writer }) => ({ conversationId, firstSeq, count, bytes: writer.finish() }));
}

/** Appends a record a message to the log, and commits messages to the store as if they were those. */
export async function fill(
  { log, store }: { readonly log: Log; readonly store: MessageStore },
  conversation: number,
  logged: readonly (PlantedMessage & { readonly body: Uint8Array })[],
  stored: readonly PlantedMessage[],
  settled = logged,
): Promise<void> {
  const conversationId = conversationOf(conversation);
  const partition = partitionOf(conversationId, log.partitions);
  const { epoch, nextOffset: fromOffset } = (await store.claim([partition])).get(partition)!;
  let end = fromOffset;
  for (const { clientMessageId, body } of logged) {
    const common = { deviceId: 1n, kind: 1, traceContext: new Uint8Array(0) };
    const entry = { conversationId, senderId, clientMessageId, digest: bodyDigest(body), body, ...common };
    end = (await log.append("messages", partition, encodeLogRecord([entry]))).offset + 1;
  }
  const sends = settled.map(
    ({ seq, clientMessageId, body }): SendRow => ({
      ...{ conversationId, senderId, clientMessageId, seq },
      ...{ digest: bodyDigest(body), loggedTimeMs: 2_000 },
    }),
  );
  const progress = [{ partition, epoch, fromOffset, nextOffset: end }];
  await store.commit({ progress, runs: runsOf(conversation, stored), sends, members: [] });
}

/** A history that holds what it was given, gaps included. */
export function createMapHistory(): MessageHistory {
  const runs = new Map<string, MessageRun[]>();
  return {
    async put(some) {
      for (const run of some) {
        const key = conversationKey(run.conversationId);
        runs.set(key, [...(runs.get(key) ?? []), run]);
      }
    },
    async readRange(conversationId, fromSeq, toSeq, bounds) {
      return cutRuns(runs.get(conversationKey(conversationId)) ?? [], { fromSeq, toSeq, ...bounds });
    },
    close: async () => undefined,
  };
}
