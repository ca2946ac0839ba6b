/** Loaded by Node before an archiver of a test that is to stop at some of its steps. */
import { archiverSteps, reachedName, stopsVariable } from "./archiver-stops.ts";
import { patchSources } from "./patch-sources.ts";

const stops = process.env[stopsVariable]!.split(",");
let counts = new Map<string, number>();

/** Who starts the process waits for its line first, and looks for the stop then. */
const ready = new Promise<void>((resolve) => {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((...args: Parameters<typeof write>) => {
    if (String(args[0]).includes('"ready":true')) resolve();
    return write(...args);
  }) as typeof process.stdout.write;
});

async function reached(step: string): Promise<void> {
  await ready;
  const nth = (counts.get(step) ?? 0) + 1;
  counts.set(step, nth);
  if (stops[0] !== `${step} ${nth}`) return;
  stops.shift();
  counts = new Map();
  process.kill(process.pid, "SIGSTOP");
}

Object.assign(globalThis, { [reachedName]: reached });
patchSources(
  Object.entries(archiverSteps).map(([step, { file, text }]) => ({
    ...{ file, text },
    by: `await globalThis.${reachedName}("${step}"); ${text}`,
  })),
);
