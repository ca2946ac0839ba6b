import type { Journal } from "./journal.ts";

/** Whether the oldest segment may go: sealed, old enough, and committed past by every known group. */
function mayDelete(journal: Journal, retentionMs: number): boolean {
  const [oldest, next] = journal.segments;
  if (oldest === undefined || next === undefined) return false;
  if (oldest.lastTimeMs > journal.now() - retentionMs) return false;
  return journal.committed.allPast(next.checkpoints[0]!.ends);
}

/**
 * Deletes from the oldest segment on what may go. `flush` makes the committed offsets durable first: a group must never
 * come back from a crash to an offset that is gone.
 */
export async function applyRetention(journal: Journal, retentionMs: number, flush: () => Promise<void>): Promise<void> {
  if (!mayDelete(journal, retentionMs)) return;
  await flush();
  while (mayDelete(journal, retentionMs)) {
    const { path, indexPath } = journal.segments[0]!;
    // Gone for readers first, so that nobody starts on a file that is about to go.
    journal.segments.shift();
    await journal.files.remove(path);
    await journal.files.remove(indexPath);
    // One after the other: a crash leaves a journal without a gap.
    await journal.files.syncDirectory(journal.directory);
    journal.report({ kind: "segment-deleted", path });
  }
}
