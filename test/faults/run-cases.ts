import { ArchiveBacklog } from "./archive-backlog.ts";
import type { BreakName } from "./breaks.ts";
import { cases, type StageName, stages } from "./cases.ts";
import { disturb } from "./disturb.ts";
import { defaultKillOptions } from "./run-under-load.ts";
import { openStage, type Stage } from "./stage.ts";
import { type FaultSummary, summarise } from "./summarise.ts";

/** How to run cases; what is left out is as the case has it. */
export interface RunCaseOptions {
  readonly seed: number;
  /** How often the acts of the case are done. */
  readonly kills: number | undefined;
  readonly clients: number | undefined;
  readonly rate: number | undefined;
  readonly historyPath: string | undefined;
  readonly breaking: BreakName | undefined;
  readonly log: (text: string) => void;
}

/** Runs a case on a stage of its kind, which is as good as new afterwards when the summary is ok. */
async function runOn(stage: Stage, name: string, options: RunCaseOptions): Promise<FaultSummary> {
  const { acts, times, load, hasBacklog = false } = cases[name]!;
  const { kills = times, clients = load.clients, rate = load.rate } = options;
  const all = Array.from({ length: kills }, () => acts).flat();
  const how = { ...defaultKillOptions, ...load, ...options, kills, clients, rate };
  const backlog = hasBacklog ? await ArchiveBacklog.seed(stage) : undefined;
  const result = await disturb(stage, all, how);
  for (const [at, { what, recoveryMs }] of result.kills.entries()) {
    const late = (result.breachesMs[at]! / 1_000).toFixed(1);
    options.log(`${name}: ${what}: everybody served after ${Math.round(recoveryMs)} ms, messages late for ${late} s`);
  }
  const summary = summarise(name, result);
  if (backlog === undefined) return summary;
  const archive = await backlog.report();
  return { ...summary, ok: summary.ok && archive.ok, archive };
}

/**
 * Runs these cases, those of one stage one after the other on the same processes and engines; a case that fails leaves
 * the next a new stage. Answers whether all were ok.
 */
export async function runCases(
  names: readonly string[],
  options: RunCaseOptions,
  print: (summary: FaultSummary) => void,
): Promise<boolean> {
  let isOk = true;
  for (const stageName of Object.keys(stages) as StageName[]) {
    let stage: Stage | undefined;
    for (const name of names.filter((one) => cases[one]!.stage === stageName)) {
      options.log(`${name}, seed ${options.seed}`);
      stage ??= await openStage({ ...stages[stageName], breaking: options.breaking });
      const summary = await runOn(stage, name, options).catch((error: unknown) => {
        options.log(`${name}: ${String(error)}`);
        return undefined;
      });
      if (summary !== undefined) print(summary);
      if (summary?.ok === true) continue;
      isOk = false;
      options.log(stage.mesh.logs());
      await stage.close();
      stage = undefined;
    }
    await stage?.close();
  }
  return isOk;
}
