import { type FindingKind, findingKinds } from "../history/findings.ts";
import type { BacklogReport } from "./archive-backlog.ts";
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
  /** Acks that came while nothing could be stored. */
  readonly faked: number;
  /** Messages a second that clients sent while the load ran. */
  readonly sentPerSecond: number;
  /** From a harm until everybody was served again (an ack each). */
  readonly recoveryMs: { readonly median: number; readonly max: number };
  /** From a harm to the arrival of the last message that was more than a second under way; 0 = none was. */
  readonly breachMs: { readonly median: number; readonly max: number };
  /** Where old messages are that the run stored beforehand. */
  readonly archive?: BacklogReport;
  /** First cases of each kind that was found. */
  readonly examples: Readonly<Record<string, readonly string[]>>;
}

function spread(figures: readonly number[]): { median: number; max: number } {
  const sorted = figures.map(Math.round).sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** A KillResult in figures. It is ok when nothing was found, everything settled, each harm hit sends in flight and no ack was faked. */
export function summarise(name: string, result: KillResult): FaultSummary {
  const { seed, kills, breachesMs, settled, report } = result;
  const { sent, acked, received, refused, indeterminate, conversations } = report.counts;
  const minInFlight = Math.min(...kills.map((kill) => kill.inFlight));
  const faked = kills.reduce((sum, kill) => sum + kill.faked, 0);
  const found = findingKinds.filter((kind) => report[kind].count > 0);
  return {
    case: name,
    ok: report.ok && settled && minInFlight > 0 && faked === 0,
    seed,
    ...{ sent, acked, received, refused, indeterminate, conversations, settled },
    ...(Object.fromEntries(findingKinds.map((kind) => [kind, report[kind].count])) as Record<FindingKind, number>),
    kills: kills.length,
    minInFlight,
    faked,
    sentPerSecond: Math.round(result.sentPerSecond),
    recoveryMs: spread(kills.map(({ recoveryMs }) => recoveryMs)),
    breachMs: spread(breachesMs),
    examples: Object.fromEntries(found.map((kind) => [kind, report[kind].examples])),
  };
}
