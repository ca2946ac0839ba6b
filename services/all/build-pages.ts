import { existsSync } from "node:fs";
import { cp, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { build } from "esbuild";

/** What buildPages needs. */
export interface BuildPagesOptions {
  /** Folder of the page: index.html, style.css, icon.svg, src/main.ts and, if there is one, src/service-worker.ts. */
  readonly source: string;
  /** Folders whose TypeScript the page is made of, besides its own. */
  readonly dependsOn: readonly string[];
}

const staticFiles = ["index.html", "style.css", "icon.svg"];
/** The last one to appear: its time tells when the page was built. */
const stamp = "main.js";

/** When a file of the folder was changed last, in Unix milliseconds; what is built or installed does not count. */
async function newestTimeMs(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const skipped = /(?:^|[\\/])(?:dist|node_modules)(?:[\\/]|$)/;
  const files = entries.filter((entry) => entry.isFile() && !skipped.test(relative(folder, entry.parentPath)));
  const times = await Promise.all(files.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).mtimeMs));
  return Math.max(0, ...times);
}

/** Builds into a folder of its own and then moves file by file: two servers that start together do no harm. */
async function buildInto(source: string, out: string): Promise<void> {
  const fresh = join(out, `building-${process.pid}`);
  await mkdir(fresh, { recursive: true });
  try {
    for (const name of staticFiles) await cp(join(source, name), join(fresh, name));
    await build({
      entryPoints: ["src/main.ts", "src/service-worker.ts"].map((path) => join(source, path)).filter(existsSync),
      outdir: fresh,
      bundle: true,
      format: "esm",
      target: "es2022",
      minify: true,
      sourcemap: "linked",
      logLevel: "silent",
    });
    const names = (await readdir(fresh)).filter((name) => name !== stamp);
    for (const name of [...names, stamp]) await rename(join(fresh, name), join(out, name));
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** Bundles the page into `source`/dist when something is newer than what is there; answers that folder. */
export async function buildPages({ source, dependsOn }: BuildPagesOptions): Promise<string> {
  const out = join(source, "dist");
  const builtMs = await stat(join(out, stamp)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const newest = await Promise.all([source, ...dependsOn].map(newestTimeMs));
  if (builtMs <= Math.max(...newest)) await buildInto(source, out);
  return out;
}
