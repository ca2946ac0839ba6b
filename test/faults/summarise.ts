import { type FindingKind, findingKinds } from "../history/findings.ts";
import type { KillResult } from "./run-under-load.ts";

/** The result of a fault case, for people and programs. */
export interface FaultSummary extends Readonly<Record<FindingKind, number>> {
  readonly case: string;
  readonly ok: boolean;
  readonly seed: number;
  readonly sent: number;
  readonly acked: number;
  readonly received: number;
  readonly refused: number;
  readonly indeterminate: number;
  readonly conversations: number;
  readonly settled: boolean;
  readonly kills: number;
  /** Sends in flight at the kill with the fewest. */
  readonly minInFlight: number;
  /** From a kill to the first ack after it. */
  readonly recoveryMs: { readonly median: number; readonly max: number };
  /** First cases of each kind that was found. */
  readonly examples: Readonly<Record<string, readonly string[]>>;
}

/** A KillResult in figures. It is ok when nothing was found, everything settled and each kill hit sends in flight. */
export function summarise(name: string, { seed, kills, settled, report }: KillResult): FaultSummary {
  const { sent, acked, received, refused, indeterminate, conversations } = report.counts;
  const recovery = kills.map((kill) => Math.round(kill.recoveryMs)).sort((a, b) => a - b);
  const minInFlight = Math.min(...kills.map((kill) => kill.inFlight));
  const found = findingKinds.filter((kind) => report[kind].count > 0);
  return {
    case: name,
    ok: report.ok && settled && minInFlight > 0,
    seed,
    ...{ sent, acked, received, refused, indeterminate, conversations, settled },
    ...(Object.fromEntries(findingKinds.map((kind) => [kind, report[kind].count])) as Record<FindingKind, number>),
    kills: kills.length,
    minInFlight,
    recoveryMs: { median: recovery[recovery.length >> 1] ?? 0, max: recovery.at(-1) ?? 0 },
    examples: Object.fromEntries(found.map((kind) => [kind, report[kind].examples])),
  };
}
