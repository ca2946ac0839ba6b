/** Loaded by Node before the server, in processes of a test that are to run without a safety measure. */
import { registerHooks } from "node:module";
import { type BreakName, breaks, breakVariable } from "./breaks.ts";

const patches = breaks[process.env[breakVariable] as BreakName];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    let source: string | undefined;
    for (const { file, text, by } of patches) {
      if (!url.endsWith(`/${file}`)) continue;
      source ??= String(loaded.source);
      if (source.split(text).length !== 2) throw new Error(`${file} no longer holds, once: ${text}`);
      source = source.replace(text, () => by);
    }
    return source === undefined ? loaded : { ...loaded, source };
  },
});
