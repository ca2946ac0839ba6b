import { createHash } from "node:crypto";
import { limits } from "@chappe/mesh/limits.ts";
import type { ArchiveDay, ArchiveLead, RunPosition } from "@chappe/mesh/ports/archive-source.ts";
import type { MessageHistory } from "@chappe/mesh/ports/message-history.ts";
import { bytesOfRuns, groupRuns, type RunGroup } from "./archive-groups.ts";
import { inParallel } from "./in-parallel.ts";

/** What a verification found. */
export interface Verified extends Pick<ArchiveDay, "messages" | "bytes" | "digest"> {
  /** Messages that the history did not have as the source has them; they have been put again. */
  readonly repaired: number;
}

/** What verifyDay needs. */
export interface VerifyOptions {
  readonly lead: ArchiveLead;
  readonly history: MessageHistory;
  readonly day: number;
  readonly signal: AbortSignal;
  readonly onMessages: (count: number) => void;
}

/** The bytes of a group as the source has them, if the history answers the same, else undefined. */
async function readBack(history: MessageHistory, group: RunGroup): Promise<Uint8Array | undefined> {
  const { conversationId, firstSeq, count } = group;
  const bounds = { maxMessages: count, maxBytes: Number.MAX_SAFE_INTEGER };
  const found = await history.readRange(conversationId, firstSeq, firstSeq + count - 1, bounds);
  const expected = bytesOfRuns(group.runs);
  const foundCount = found.reduce((sum, run) => sum + run.count, 0);
  return foundCount === count && Buffer.compare(bytesOfRuns(found), expected) === 0 ? expected : undefined;
}

/**
 * Reads every message of a day back from the history and compares it with the source's, byte by byte. What differs is
 * put again, which is no proof that it stays: the day then has to wait and be verified once more.
 */
export async function verifyDay({ lead, history, day, signal, onMessages }: VerifyOptions): Promise<Verified> {
  const digest = createHash("sha256");
  let [messages, bytes, repaired] = [0, 0, 0];
  for (let after: RunPosition | undefined; ; ) {
    signal.throwIfAborted();
    const page = await lead.readPage(day, after, limits.maxArchivePageRuns);
    if (page.length === 0) return { messages, bytes, repaired, digest: digest.digest("hex") };
    const groups = groupRuns(page);
    const found = await inParallel(groups, limits.maxArchiveCalls, (group) => readBack(history, group));
    for (const [index, group] of groups.entries()) {
      const same = found[index];
      messages += group.count;
      onMessages(group.count);
      if (same === undefined) {
        repaired += group.count;
        await history.put(group.runs);
        continue;
      }
      bytes += same.length;
      digest.update(group.conversationId).update(String(group.firstSeq)).update(same);
    }
    after = page.at(-1)!;
  }
}
