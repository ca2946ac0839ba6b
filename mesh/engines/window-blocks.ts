import { walkTaggedMessages } from "../codec/message-events.ts";
import { limits } from "../limits.ts";
import type { HotWindowBounds } from "../ports/hot-window.ts";
import type { MessageRun } from "../ports/message-store.ts";
import { cutRuns } from "./cut-runs.ts";

/** How a window keeps the messages of a conversation: in blocks, which are added and let go whole. */
export interface BlockBounds {
  /** Of one block: more is cut. */
  readonly blockMessages: number;
  readonly blockBytes: number;
  /** Up to so much, a block takes in what comes after it. */
  readonly mergeMessages: number;
  readonly mergeBytes: number;
}

/** The bounds that hold when none are named. */
export const defaultWindowBounds: HotWindowBounds = {
  maxMessages: limits.hotWindowMessages,
  maxBytes: limits.hotWindowBytes,
  maxAgeMs: limits.hotWindowMs,
};

/** The blocks of a window with these bounds, so small that letting one go leaves most of the window. */
export function blockBoundsOf({ maxMessages, maxBytes }: HotWindowBounds): BlockBounds {
  const blockMessages = Math.max(1, Math.floor(maxMessages / limits.hotWindowParts));
  const blockBytes = Math.min(limits.hotWindowBlockBytes, Math.ceil(maxBytes / limits.hotWindowParts));
  const mergeBytes = Math.min(limits.hotWindowMergeBytes, blockBytes);
  return { blockMessages, blockBytes, mergeMessages: blockMessages, mergeBytes };
}

/** The newest of a run that a window can hold, cut into blocks in order of seq. */
export function windowBlocks(run: MessageRun, bounds: HotWindowBounds, block: BlockBounds): readonly MessageRun[] {
  const { blockMessages, blockBytes } = block;
  if (run.count <= blockMessages && run.bytes.length <= blockBytes) return [run];
  const { maxMessages, maxBytes } = bounds;
  const whole = { fromSeq: 0, toSeq: Number.MAX_SAFE_INTEGER };
  const [kept = run] = cutRuns([run], { ...whole, maxMessages, maxBytes, fromEnd: true });
  const blocks: MessageRun[] = [];
  let [firstSeq, start, end, count] = [kept.firstSeq, 0, 0, 0];
  const finish = (): void => {
    if (count > 0) blocks.push({ ...kept, firstSeq, count, bytes: kept.bytes.subarray(start, end) });
    [firstSeq, start, count] = [firstSeq + count, end, 0];
  };
  for (const span of walkTaggedMessages(kept.bytes)) {
    if (count >= blockMessages || span.end - start > blockBytes) finish();
    end = span.end;
    count++;
  }
  finish();
  return blocks;
}
