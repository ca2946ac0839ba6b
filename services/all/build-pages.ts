import { cp, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** What buildPages needs. */
export interface BuildPagesOptions {
  /** Folder of the page: index.html, style.css, icon.svg and src/main.ts. */
  readonly source: string;
  /** Folders whose TypeScript the page is made of, besides its own. */
  readonly dependsOn: readonly string[];
}

const staticFiles = ["index.html", "style.css", "icon.svg"];

async function newestTime(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !/[\\/](?:dist|node_modules)[\\/]?/.test(entry.parentPath));
  const times = await Promise.all(files.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).mtimeMs));
  return Math.max(0, ...times);
}

/** Bundles the page into `source`/dist when something is newer than what is there; answers that folder. */
export async function buildPages({ source, dependsOn }: BuildPagesOptions): Promise<string> {
  const out = join(source, "dist");
  const script = join(out, "main.js");
  const builtMs = await stat(script).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const newest = await Promise.all([source, ...dependsOn].map(newestTime));
  if (builtMs > Math.max(...newest)) return out;
  await mkdir(out, { recursive: true });
  for (const name of staticFiles) await cp(join(source, name), join(out, name));
  await build({
    entryPoints: [join(source, "src/main.ts")],
    outfile: script,
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    sourcemap: "linked",
    logLevel: "silent",
  });
  return out;
}
