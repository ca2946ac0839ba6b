import { firstLoggedTimeMs } from "@chappe/mesh/codec/message-events.ts";
import type { SeqSpan } from "./range-fill.ts";
import type { TieredReads } from "./tiered-reads.ts";

/**
 * The first seq of the span whose message was logged at or after `timeMs`, one beyond the span when there is none. Times
 * rise with the seq: steps back from the newest, each twice as long as the one before, find a span that holds it, and
 * halving finds it there. So a recent time asks for recent messages only, and any in about 2 log2(length) reads of one
 * message. Where a log's clock once went back, it is one of the places between earlier and later messages.
 */
export async function findTime(
  reads: TieredReads,
  conversationId: Uint8Array,
  { fromSeq, toSeq }: SeqSpan,
  timeMs: number,
): Promise<number> {
  const one = { conversationId, maxMessages: 1, maxBytes: 1 };
  const isEarlier = async (seq: number): Promise<boolean> => {
    const [run] = await reads.readRange({ ...one, fromSeq: seq, toSeq: seq });
    return firstLoggedTimeMs(run!.bytes) < timeMs;
  };
  let [first, end] = [fromSeq, toSeq + 1];
  for (let step = 1; first < end; step *= 2) {
    const seq = Math.max(fromSeq, end - step);
    if (await isEarlier(seq)) {
      first = seq + 1;
      break;
    }
    end = seq;
  }
  while (first < end) {
    const middle = first + Math.floor((end - first) / 2);
    if (await isEarlier(middle)) first = middle + 1;
    else end = middle;
  }
  return first;
}
