import type { TierName, TierRow, TierRows } from "./tier-rows.ts";

/** The tiers of one conversation; undefined = there is no such tier. */
export interface Tiers {
  /** What the newest records of the log say; it may begin anywhere. */
  readonly log: TierRows;
  readonly store: TierRows;
  readonly window: TierRows | undefined;
  readonly history: TierRows | undefined;
}

/** A difference between tiers: of these tiers at this seq. */
export interface Difference {
  readonly tiers: readonly TierName[];
  readonly seq: number;
  /** "missing": the first tier should have it and has not; "different": they do not hold the same message. */
  readonly what: "missing" | "different";
}

const seqsOf = (rows: TierRows): number[] => [...rows.keys()].sort((a, b) => a - b);

/** Seqs of [from, to] that are not there. */
function missing(rows: TierRows, from: number, to: number): number[] {
  const seqs: number[] = [];
  for (let seq = from; seq <= to; seq++) if (!rows.has(seq)) seqs.push(seq);
  return seqs;
}

/** Holes between the first and the last of a tier that must have none. */
function holes(tier: TierName, rows: TierRows): Difference[] {
  const seqs = seqsOf(rows);
  return missing(rows, seqs[0] ?? 1, seqs.at(-1) ?? 0).map((seq) => ({ tiers: [tier], seq, what: "missing" }));
}

/**
 * What the store should have up to the head, or as far as the log was settled: all of it, or the newest part, when history
 * has what is before it.
 */
function compareStore({ log, store, history }: Tiers, fromSeq: number, headSeq: number): Difference[] {
  const lastSeq = Math.max(headSeq, seqsOf(log).at(-1) ?? 0);
  const first = history === undefined ? fromSeq : (seqsOf(store)[0] ?? lastSeq + 1);
  const inStore = missing(store, first, lastSeq).map(
    (seq): Difference => ({ tiers: ["store", "log"], seq, what: "missing" }),
  );
  const before = history === undefined ? [] : missing(history, fromSeq, first - 1);
  return [...inStore, ...before.map((seq): Difference => ({ tiers: ["history", "store"], seq, what: "missing" }))];
}

/** Stored messages are the same to the byte. Of one that is on the log only the id counts when it could not be read. */
function isSame(a: TierRow, b: TierRow): boolean {
  if (a.stored !== undefined && b.stored !== undefined) return a.stored === b.stored;
  return a.sent === b.sent && (a.digest === undefined || b.digest === undefined || a.digest === b.digest);
}

/** What both tiers have must be the same message. */
function compareRows(one: TierName, rows: TierRows, other: TierName, others: TierRows): Difference[] {
  return seqsOf(rows).flatMap((seq): Difference[] => {
    const [a, b] = [rows.get(seq)!, others.get(seq)];
    if (b === undefined) return [];
    return isSame(a, b) ? [] : [{ tiers: [one, other], seq, what: "different" }];
  });
}

/** Compares the tiers of one conversation over [fromSeq, headSeq], all of which is committed. */
export function compareTiers(tiers: Tiers, fromSeq: number, headSeq: number): readonly Difference[] {
  const { log, store, window, history } = tiers;
  const differences = [...compareStore(tiers, fromSeq, headSeq), ...holes("log", log)];
  differences.push(...compareRows("log", log, "store", store));
  if (window !== undefined)
    differences.push(...holes("window", window), ...compareRows("window", window, "store", store));
  if (history !== undefined) {
    differences.push(...holes("history", history), ...compareRows("history", history, "store", store));
    differences.push(...compareRows("log", log, "history", history));
    if (window !== undefined) differences.push(...compareRows("window", window, "history", history));
  }
  return differences;
}
