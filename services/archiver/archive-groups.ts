import type { MessageRun } from "@chappe/mesh/ports/message-store.ts";

/** Consecutive messages of one conversation, in as many runs as the source keeps them. */
export interface RunGroup {
  readonly conversationId: Uint8Array;
  readonly firstSeq: number;
  readonly count: number;
  readonly runs: readonly MessageRun[];
}

/** Runs in order of position as groups without a gap inside. */
export function groupRuns(runs: readonly MessageRun[]): RunGroup[] {
  const groups: MessageRun[][] = [];
  for (const run of runs) {
    const before = groups.at(-1)?.at(-1);
    const follows =
      before !== undefined &&
      before.firstSeq + before.count === run.firstSeq &&
      Buffer.compare(before.conversationId, run.conversationId) === 0;
    if (follows) groups.at(-1)!.push(run);
    else groups.push([run]);
  }
  return groups.map((some) => ({
    conversationId: some[0]!.conversationId,
    firstSeq: some[0]!.firstSeq,
    count: some.reduce((sum, { count }) => sum + count, 0),
    runs: some,
  }));
}

/** The bytes of runs, one after the other. */
export const bytesOfRuns = (runs: readonly MessageRun[]): Uint8Array => Buffer.concat(runs.map(({ bytes }) => bytes));
