import type { FindingKind } from "../history/findings.ts";
import type { Act } from "./act.ts";
import type { BreakName } from "./breaks.ts";
import { cellLoad, stages } from "./cases.ts";
import { disturbOnce } from "./disturb.ts";
import { killWhileKafkaIsDead, killWhileKafkaSleeps } from "./kafka-acts.ts";
import { lostTail } from "./mysql-acts.ts";
import type { RunCaseOptions } from "./run-cases.ts";
import { defaultKillOptions } from "./run-under-load.ts";
import { summarise } from "./summarise.ts";

/** What shows that a measure is missing. */
interface Exposure {
  readonly acts: readonly Act[];
  /** The checker must find this. */
  readonly finding: FindingKind;
}

const tailMs = 5_000;
/** What is lost never settles, and is never read. */
const patience = { settleTimeoutMs: 10_000, readAttempts: 1 };

const exposures: Readonly<Record<BreakName, Exposure>> = {
  "no-cas": { acts: [lostTail(tailMs)], finding: "lost" },
  "no-dedupe": { acts: [killWhileKafkaSleeps("login-1")], finding: "duplicate" },
  "ack-before-log": { acts: [killWhileKafkaIsDead("proxy-1")], finding: "lost" },
};

/** Runs the harm that each break cannot stand; answers whether every run was red, and red for its reason. */
export async function runBreaks({ seed, log }: RunCaseOptions): Promise<boolean> {
  let isOk = true;
  for (const [breaking, { acts, finding }] of Object.entries(exposures) as [BreakName, Exposure][]) {
    const options = { ...defaultKillOptions, ...cellLoad, seed, ...patience, log: () => undefined };
    const summary = summarise(breaking, await disturbOnce({ ...stages.persistence, breaking }, acts, options));
    const isRed = !summary.ok && summary[finding] > 0;
    log(`${breaking}: ${summary[finding]} ${finding}, ${isRed ? "red as it must be" : "NOT RED"}`);
    isOk &&= isRed;
  }
  return isOk;
}
