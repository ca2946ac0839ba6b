import { fromBinary } from "@bufbuild/protobuf";
import { DeadLetterReason, EntryKind } from "@chappe/gen/proto/chappe/mesh/v1/record_pb.ts";
import { MessageContentSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { isPlainText } from "@chappe/mesh/codec/is-plain-text.ts";
import { type DecodedEntry, decodeLogRecord } from "@chappe/mesh/codec/log-record.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";

/** One message of the log, judged. */
export interface ReadEntry extends DecodedEntry {
  /** Why the body is undefined. */
  readonly damage?: DeadLetterReason;
}

const idBytes = 16;

/** A checksum that fits only says that this is what was written. */
function checkHead({ conversationId, clientMessageId, kind }: DecodedEntry): void {
  if (conversationId.length === idBytes && clientMessageId.length === idBytes && kind !== EntryKind.UNSPECIFIED) return;
  throw new ChappeError("CORRUPT", "an envelope names no conversation, no message or no kind");
}

function isContent(body: Uint8Array, kind: number): boolean {
  if (kind === EntryKind.USER && isPlainText(body)) return true;
  try {
    const content = fromBinary(MessageContentSchema, body);
    return kind !== EntryKind.MEMBERSHIP || content.kind.case === "membership";
  } catch {
    return false;
  }
}

function damageOf({ body, digest, kind }: DecodedEntry): DeadLetterReason | undefined {
  if (body === undefined) return DeadLetterReason.CHECKSUM;
  if (bodyDigest(body) !== digest) return DeadLetterReason.DIGEST;
  return isContent(body, kind) ? undefined : DeadLetterReason.UNDECODABLE;
}

/**
 * The messages of a log record. CORRUPT when its envelope is not to be trusted; a body that is not lacks in its entry,
 * with the reason. Depends on the bytes alone: whoever replays gets the same.
 */
export function readRecord(payload: Uint8Array): readonly ReadEntry[] {
  return decodeLogRecord(payload).map((entry) => {
    checkHead(entry);
    const damage = damageOf(entry);
    return damage === undefined ? entry : { ...entry, body: undefined, damage };
  });
}
