import { conversationKey } from "@chappe/mesh/ids/conversation-id.ts";
import type { MessageRun, ProgressStep, StoreCommit } from "@chappe/mesh/ports/message-store.ts";

/** One commit with the effect of these, in order. Runs of a conversation and steps of a partition become one each. */
export function mergeCommits(commits: readonly StoreCommit[]): StoreCommit {
  const only = commits[0];
  if (only !== undefined && commits.length === 1) return only;
  return {
    progress: mergeProgress(commits),
    runs: mergeRuns(commits),
    sends: commits.flatMap((commit) => commit.sends),
    members: commits.flatMap((commit) => commit.members),
  };
}

function mergeProgress(commits: readonly StoreCommit[]): ProgressStep[] {
  const merged = new Map<number, ProgressStep>();
  for (const { progress } of commits) {
    for (const step of progress) {
      const before = merged.get(step.partition);
      merged.set(step.partition, before === undefined ? step : { ...before, nextOffset: step.nextOffset });
    }
  }
  return [...merged.values()];
}

function mergeRuns(commits: readonly StoreCommit[]): MessageRun[] {
  const groups = new Map<string, MessageRun[]>();
  for (const { runs } of commits) {
    for (const run of runs) {
      const key = conversationKey(run.conversationId);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [run]);
      else group.push(run);
    }
  }
  return [...groups.values()].map((group) => {
    const first = group[0]!;
    if (group.length === 1) return first;
    const count = group.reduce((sum, run) => sum + run.count, 0);
    return {
      conversationId: first.conversationId,
      firstSeq: first.firstSeq,
      count,
      bytes: Buffer.concat(group.map((run) => run.bytes)),
    };
  });
}
