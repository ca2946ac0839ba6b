import { create, toBinary } from "@bufbuild/protobuf";
import {
  DeadLetterReason,
  DeadLetterSchema,
  type EntryKind,
  EnvelopeEntrySchema,
} from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { ReadEntry } from "./read-record.ts";

/** Where something was read in the message log. */
export interface LogPlace {
  readonly partition: number;
  readonly offset: number;
}

const clipped = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, limits.maxDeadLetterBytes);

/** The record of the dead-letter log for a message without its body, which has this seq. */
export function encodeDeadLetter(place: LogPlace, index: number, entry: ReadEntry, seq: number): Uint8Array {
  const { conversationId, senderId, clientMessageId, digest, deviceId, traceContext, found } = entry;
  const head = { conversationId, senderId, clientMessageId, digest, deviceId, traceContext };
  const letter = create(DeadLetterSchema, {
    partition: place.partition,
    offset: BigInt(place.offset),
    index,
    reason: entry.damage ?? DeadLetterReason.CHECKSUM,
    seq: BigInt(seq),
    entry: create(EnvelopeEntrySchema, { ...head, kind: entry.kind as EntryKind, bodyBytes: found.length }),
    found: clipped(found),
  });
  return toBinary(DeadLetterSchema, letter);
}

/** The record of the dead-letter log for a whole record whose envelope is damaged. */
export function encodeDeadRecord({ partition, offset }: LogPlace, payload: Uint8Array): Uint8Array {
  const reason = DeadLetterReason.ENVELOPE;
  const letter = create(DeadLetterSchema, { partition, offset: BigInt(offset), reason, found: clipped(payload) });
  return toBinary(DeadLetterSchema, letter);
}
