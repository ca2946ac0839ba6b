import type { SendKey, SendRow } from "../../ports/message-store.ts";
import { packedSendBytes } from "./flush-format.ts";
import { unpackSend } from "./pack-flush.ts";

const idAt = (block: Uint8Array, index: number): Uint8Array =>
  block.subarray(index * packedSendBytes, index * packedSendBytes + 16);

/** Looks a send up in packed sends, which are in order of client message id. */
export function findSendInBlock(block: Uint8Array, key: SendKey): SendRow | undefined {
  const count = block.length / packedSendBytes;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(idAt(block, middle), key.clientMessageId) < 0) low = middle + 1;
    else high = middle;
  }
  for (; low < count && Buffer.compare(idAt(block, low), key.clientMessageId) === 0; low++) {
    const row = unpackSend(block, low);
    if (row.senderId === key.senderId && Buffer.compare(row.conversationId, key.conversationId) === 0) return row;
  }
  return undefined;
}
