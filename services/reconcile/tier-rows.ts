import { createHash, hash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { type Message, MessageKind, MessageSchema } from "@chappe/gen/proto/chappe/msg/v1/message_pb.ts";
import { bodyDigest } from "@chappe/mesh/codec/body-digest.ts";
import { walkTaggedMessages } from "@chappe/mesh/codec/message-events.ts";
import { WireReader } from "@chappe/mesh/codec/wire-reader.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { RangeBounds } from "@chappe/mesh/ports/hot-window.ts";
import type { MessageRun } from "@chappe/mesh/ports/message-store.ts";

/** Where messages are kept. */
export type TierName = "log" | "store" | "window" | "history";

/** One message of a tier. */
export interface TierRow {
  readonly seq: number;
  /** Sender and client message id. */
  readonly sent: string;
  /** Digest of the body; undefined where it could not be read and a placeholder stands for it. */
  readonly digest: bigint | undefined;
  /** The whole stored message; undefined where it is not stored (the log). */
  readonly stored?: string;
}

/** The messages of one conversation that a tier holds, by seq. */
export type TierRows = ReadonlyMap<number, TierRow>;

/** What an operator sees of a tier. */
export interface TierSummary {
  readonly count: number;
  /** 0 = none. */
  readonly minSeq: number;
  readonly maxSeq: number;
  /** SHA-256 over the messages in order of seq, 16 hex digits. */
  readonly digest: string;
}

/** The part of MessageStore, HotWindow and MessageHistory that is read. */
export interface RangeReader {
  readRange(
    conversationId: Uint8Array,
    fromSeq: number,
    toSeq: number,
    bounds: RangeBounds,
  ): Promise<readonly MessageRun[]>;
}

const contentTag = 0x3a;
const digestChars = 16;
const sha = (bytes: Uint8Array): string => hash("sha256", bytes, "hex").slice(0, digestChars);

/** Sender and client message id as a text. */
export const sentOf = (senderId: bigint, clientMessageId: Uint8Array): string =>
  `${senderId} ${Buffer.from(clientMessageId).toString("hex")}`;

/** The content as it was sent: decoding and encoding again could change it. */
function contentOf(message: Uint8Array): Uint8Array {
  const reader = new WireReader(message, "CORRUPT");
  while (reader.pos < reader.end) {
    const tag = reader.tag();
    if (tag === contentTag) return reader.view();
    reader.skip(tag);
  }
  return new Uint8Array(0);
}

function toRow(tagged: Uint8Array): TierRow {
  const reader = new WireReader(tagged, "CORRUPT");
  reader.tag();
  const bytes = reader.view();
  const message: Message = fromBinary(MessageSchema, bytes);
  const isReadable = message.kind !== MessageKind.UNREADABLE;
  const digest = isReadable ? bodyDigest(contentOf(bytes)) : undefined;
  return {
    seq: Number(message.seq),
    sent: sentOf(message.senderId, message.clientMessageId),
    digest,
    stored: sha(bytes),
  };
}

/** Everything that a tier has of [fromSeq, toSeq], gaps included. */
export async function readTier(
  tier: RangeReader,
  conversationId: Uint8Array,
  fromSeq: number,
  toSeq: number,
): Promise<TierRows> {
  const rows = new Map<number, TierRow>();
  const bounds = { maxMessages: limits.maxPageMessages, maxBytes: limits.maxPageBytes };
  for (let next = fromSeq; next <= toSeq; ) {
    const runs = await tier.readRange(conversationId, next, toSeq, bounds);
    if (runs.length === 0) break;
    for (const { bytes } of runs) {
      for (const { start, end } of walkTaggedMessages(bytes)) {
        const row = toRow(bytes.subarray(start, end));
        rows.set(row.seq, row);
      }
    }
    const last = runs.at(-1)!;
    next = last.firstSeq + last.count;
  }
  return rows;
}

/** Count, range and digest of a tier. */
export function summarise(rows: TierRows): TierSummary {
  const seqs = [...rows.keys()].sort((a, b) => a - b);
  const digest = createHash("sha256");
  for (const seq of seqs) digest.update(`${seq} ${rows.get(seq)!.sent} ${rows.get(seq)!.digest}\n`);
  return {
    count: seqs.length,
    minSeq: seqs[0] ?? 0,
    maxSeq: seqs.at(-1) ?? 0,
    digest: digest.digest("hex").slice(0, digestChars),
  };
}
