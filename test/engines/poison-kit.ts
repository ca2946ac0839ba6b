import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { conversationOf, idOf } from "@chappe/bench/support/store-kit.ts";
import { type DeadLetter, DeadLetterSchema, EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import {
  type Message,
  MessageArrivedSchema,
  MessageContentSchema,
  SendSettledSchema,
  type SettledSend,
} from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { encodeLogRecord, type LogRecordEntry } from "@chappe/mesh/codec/log-record.ts";
import { encodeMessageArrived } from "@chappe/mesh/codec/message-events.ts";
import { decodePushRecord } from "@chappe/mesh/codec/push-record.ts";
import { createSqliteMessageStore } from "@chappe/mesh/engines/sqlite-message-store/create-sqlite-message-store.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import type { MessageStore } from "@chappe/mesh/ports/message-store.ts";
import { createMsgWriter, type MsgWriter } from "@chappe/services/msg-writer/msg-writer.ts";
import { readAll, tempDirectory } from "./log-kit.ts";

/** A text as MsgProxy would write it, with a fresh id. */
export function textEntry(conversation: number, text: string): LogRecordEntry {
  const content = create(MessageContentSchema, { kind: { case: "text", value: { text } } });
  const body = toBinary(MessageContentSchema, content);
  const ids = { conversationId: conversationOf(conversation), senderId: 7n, clientMessageId: idOf(), deviceId: 9n };
  return { ...ids, digest: bodyDigest(body), kind: EntryKind.USER, traceContext: new Uint8Array(0), body };
}

/** A record whose bodies with these places have a byte turned over. */
export function withBadBodies(entries: readonly LogRecordEntry[], ...places: readonly number[]): Uint8Array {
  const record = encodeLogRecord(entries);
  let end = record.length;
  for (const [place, { body }] of [...entries.entries()].reverse()) {
    end -= body.length;
    if (places.includes(place)) record[end + body.length - 1]! ^= 0xff;
  }
  return record;
}

/** A record with a byte of its envelope turned over. */
export function withBadEnvelope(entries: readonly LogRecordEntry[]): Uint8Array {
  const record = encodeLogRecord(entries);
  record[8]! ^= 0xff;
  return record;
}

/** A writer with a store of its own. */
export interface WriterOnStore {
  readonly writer: MsgWriter;
  readonly store: MessageStore;
  /** Starts another one on the same store, once the first is closed. */
  startWriter(): Promise<MsgWriter>;
  /** Everything of the conversation, as readers get it. */
  messages(conversation: number): Promise<readonly Message[]>;
  close(): Promise<void>;
}

/** Starts a writer with an empty store. */
export async function writeToFreshStore(log: Log): Promise<WriterOnStore> {
  const directory = await tempDirectory();
  const onFailed = (error: Error): never => {
    throw error;
  };
  const store = await createSqliteMessageStore({ directory: directory.path, onFailed });
  const startWriter = (): Promise<MsgWriter> => createMsgWriter({ log, store, logger: silentLogger });
  const writer = await startWriter();
  return {
    writer,
    store,
    startWriter,
    async messages(conversation) {
      const id = conversationOf(conversation);
      const runs = await store.readRange(id, 1, 1_000, { maxMessages: 1_000, maxBytes: 1_000_000 });
      return runs.flatMap(({ bytes }) => fromBinary(MessageArrivedSchema, encodeMessageArrived(id, bytes)).messages);
    },
    async close() {
      await writer.close();
      await store.close();
      await directory.remove();
    },
  };
}

/** What was pushed to senders, in order. */
export async function settledSends(log: Log): Promise<SettledSend[]> {
  const pushes = await readAll(log, "push");
  const entries = [...pushes.seen.values()].flat().flatMap(({ payload }) => decodePushRecord(payload));
  const settles = entries.filter(({ onlyDeviceId }) => onlyDeviceId !== 0n);
  return settles.flatMap(({ payload }) => fromBinary(SendSettledSchema, payload).sends);
}

/** What was put aside, in order. */
export async function deadLetters(log: Log): Promise<DeadLetter[]> {
  const letters = await readAll(log, "dead-letter");
  return [...letters.seen.values()].flat().map(({ payload }) => fromBinary(DeadLetterSchema, payload));
}
