/** Loaded by Node before the server, in processes of a test that are to run without a safety measure. */
import { type BreakName, breaks, breakVariable } from "./breaks.ts";
import { patchSources } from "./patch-sources.ts";

patchSources(breaks[process.env[breakVariable] as BreakName]);
