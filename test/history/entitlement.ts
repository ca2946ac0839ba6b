/** A range of seqs [from, to) that a user may read. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** A change of one user in one conversation. */
export interface MembershipStep {
  readonly seq: number;
  readonly joined: boolean;
}

/** Turns changes, in any order and possibly repeated, into ranges in order. */
export function intervalsOf(steps: readonly MembershipStep[]): Interval[] {
  const intervals: Interval[] = [];
  let from = 0;
  for (const step of [...steps].sort((a, b) => a.seq - b.seq)) {
    if (step.joined && from === 0) from = step.seq;
    if (!step.joined && from !== 0) {
      intervals.push({ from, to: step.seq });
      from = 0;
    }
  }
  if (from !== 0) intervals.push({ from, to: Number.POSITIVE_INFINITY });
  return intervals;
}

/** Whether the user may read `seq`. */
export function isEntitled(intervals: readonly Interval[], seq: number): boolean {
  return intervals.some(({ from, to }) => seq >= from && seq < to);
}

/** The first seq after `seq` that the user may read; Infinity when there is none. */
export function nextEntitled(intervals: readonly Interval[], seq: number): number {
  for (const { from, to } of intervals) if (seq + 1 < to) return Math.max(seq + 1, from);
  return Number.POSITIVE_INFINITY;
}

/** The last seq up to `head` that the user may read; 0 when there is none. */
export function lastEntitled(intervals: readonly Interval[], head: number): number {
  let last = 0;
  for (const { from, to } of intervals) if (from <= head) last = Math.min(to - 1, head);
  return last;
}
