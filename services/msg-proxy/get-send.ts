import { SendState } from "@chappe/gen/proto/chappe/msg/v1/message_service_pb.ts";
import { partitionOf } from "@chappe/mesh/ids/conversation-id.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";
import { type MessageStore, noDigest, type SendKey } from "@chappe/mesh/ports/message-store.ts";
import type { Lanes } from "./lanes.ts";

/** What is known of a send. */
export interface SendStatus {
  readonly state: SendState;
  readonly seq: number;
}

/**
 * Answers NONE only when the id was neither in a lane nor on the log when the question came: the lane is asked first,
 * then the end of the log, then how far the writer has got, then the rows once more.
 */
export async function getSend(
  { log, store, lanes }: { log: Log; store: MessageStore; lanes: Lanes },
  key: SendKey,
  digest: bigint | undefined,
): Promise<SendStatus> {
  const partition = partitionOf(key.conversationId, log.partitions);
  const waiting = lanes.holds(key.conversationId, key.clientMessageId);
  const end = await log.end("messages", partition);
  const sequenced = (await store.progress([partition])).get(partition)?.nextOffset ?? 0;
  const [row] = await store.findSends([key]);
  if (row !== undefined) {
    if (row.digest === noDigest) return { state: SendState.UNREADABLE, seq: row.seq };
    const same = digest === undefined || digest === row.digest;
    return { state: same ? SendState.SEQ : SendState.CONFLICT, seq: row.seq };
  }
  return { state: waiting || sequenced < end ? SendState.NOT_YET : SendState.NONE, seq: 0 };
}
