import { EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { decodeLogRecord, encodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { decodePushRecord, encodePushRecords } from "@chappe/mesh/codec/push-record.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { expect, it } from "vitest";
import { createSequencer, type PartitionInput } from "./sequencer.ts";

const conversationId = new Uint8Array(16).fill(7);
const bodyBytes = 40_000;

/** A batch of one partition as large as a log reader hands over, all of it one conversation. */
function largeInput(messages: number): PartitionInput {
  const records = Array.from({ length: messages }, (_, i) => {
    const clientMessageId = new Uint8Array(16).fill(i);
    const entry = { conversationId, clientMessageId, senderId: 5n, digest: 1n, deviceId: 9n, kind: EntryKind.USER };
    const body = new Uint8Array(bodyBytes).fill(i);
    const record = encodeLogRecord([{ ...entry, traceContext: new Uint8Array(0), body }]);
    return { loggedTimeMs: 1, entries: decodeLogRecord(record) };
  });
  return { partition: 0, epoch: 1, fromOffset: 0, nextOffset: messages, records };
}

it("cuts what is pushed of a large batch into payloads and records of bounded length, without a gap", () => {
  const messages = Math.ceil(limits.maxLogBatchBytes / bodyBytes) + 20;
  const sequencer = createSequencer();
  sequencer.setHead(conversationId, 0);
  const entries = sequencer.sequence([largeInput(messages)], new Map()).pushes.get(0)!;
  const records = encodePushRecords(entries, limits.maxRecordBytes);
  expect(records.length).toBeGreaterThan(1);
  for (const record of records) expect(record.length).toBeLessThanOrEqual(limits.maxRecordBytes);
  const decoded = records.flatMap((record) => decodePushRecord(record));
  expect(decoded).toHaveLength(entries.length);
  let next = 1;
  for (const { firstSeq, lastSeq, payload } of decoded.filter((entry) => entry.firstSeq > 0)) {
    expect(firstSeq).toBe(next);
    expect(payload.length).toBeLessThan(limits.maxPushPayloadBytes + limits.maxContentBytes + 1_024);
    next = lastSeq + 1;
  }
  expect(next).toBe(messages + 1);
});

it("makes one record of what fits into one, and none of nothing", () => {
  expect(encodePushRecords([], limits.maxRecordBytes)).toEqual([]);
  const entry = { svid: 1, cmd: 2, payload: new Uint8Array(100) };
  expect(encodePushRecords([entry, entry], 300)).toHaveLength(1);
  expect(encodePushRecords([entry, entry], 150)).toHaveLength(2);
  expect(encodePushRecords([entry, entry], 10)).toHaveLength(2);
});
