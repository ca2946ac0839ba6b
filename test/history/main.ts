/** Judges histories kept in files: `node test/history/main.ts run.ndjson ...`; exit code 1 on any finding. */
import { parseArgs } from "node:util";
import { checkHistory } from "./check-history.ts";
import { readHistoryFile } from "./history-file.ts";

const { positionals, values } = parseArgs({ allowPositionals: true, options: { "caught-up": { type: "boolean" } } });
const events = (await Promise.all(positionals.map(readHistoryFile))).flat();
const startedMs = performance.now();
const report = checkHistory(events, { requireCaughtUp: values["caught-up"] ?? false });
process.stdout.write(
  `${JSON.stringify({ events: events.length, checkMs: performance.now() - startedMs, ...report }, null, 2)}\n`,
);
process.exitCode = report.ok && events.length > 0 ? 0 : 1;
