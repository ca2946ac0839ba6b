import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Patch } from "./patch-sources.ts";

const day = "services/archiver/archive-day.ts";

/** Steps of an archiver at which one of a test stops, each by the line of the product before which that is. */
export const archiverSteps = {
  put: { file: day, text: "await history.put(page);" },
  copied: { file: day, text: "const { after: _, ...rest } = at;" },
  verify: { file: day, text: "const { repaired, ...figures } = await verifyDay({" },
  "verify-page": { file: "services/archiver/verify-day.ts", text: "const groups = groupRuns(page);" },
  catalogue: { file: day, text: 'const dropping = await enter({ ...day, ...figures, step: "dropping" }, options);' },
  drop: { file: day, text: "if (!(await lead.drop(day.day, mark)))" },
  dropped: { file: day, text: 'return enter({ ...dropping, step: "archived"' },
} as const satisfies Readonly<Record<string, Omit<Patch, "by">>>;

/** One of them. */
export type ArchiverStep = keyof typeof archiverSteps;

/** A stop before a step, reached for the n-th time since the stop before it, from 1 on. */
export type ArchiverStop = `${ArchiverStep} ${number}`;

/** Variable with the stops of a process, comma-separated. */
export const stopsVariable = "CHAPPE_TEST_STOPS";

/** What the product calls then. */
export const reachedName = "chappeTestReached";

/** The environment of an archiver that stops itself (SIGSTOP) at these, one after the other. */
export const stopsEnvironment = (stops: readonly ArchiverStop[]): Record<string, string> => ({
  [stopsVariable]: stops.join(),
  NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, "archiver-stop-hooks.ts")).href}`,
});
