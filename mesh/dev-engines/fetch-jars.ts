import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ChappeError } from "../errors/chappe-error.ts";
import { engineVersions } from "./engine-defaults.ts";
import { jarProblems, readSums } from "./jar-sums.ts";
import { runToEnd } from "./run-to-end.ts";
import { withLock } from "./with-lock.ts";

const fetchTimeoutMs = 600_000;
const retryDelaysMs = [2_000, 10_000];
const copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/** An engine whose jars come from Maven Central: packages/<name>.pom.xml pins them, packages/<name>.sha256 lists them. */
export type JarEngine = "kafka" | "hbase" | "zipkin";

const packageFile = (name: string): string => fileURLToPath(new URL(`./packages/${name}`, import.meta.url));

/** One try: Maven checks the checksums that the repository publishes (-C), and we check ours. */
async function fetchOnce(engine: JarEngine, folder: string, sums: ReadonlyMap<string, string>): Promise<void> {
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const settings = [`-DoutputDirectory=${part}`, "-DincludeScope=runtime"];
  const args = ["-q", "-B", "-C", "-f", packageFile(`${engine}.pom.xml`), copyGoal, ...settings];
  await runToEnd("mvn", args, { cwd: part, timeoutMs: fetchTimeoutMs });
  const problems = await jarProblems(part, sums);
  if (problems.length > 0) throw new ChappeError("UNAVAILABLE", `jars of ${engine}: ${problems.join(", ")}`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
}

async function fetchWithRetries(engine: JarEngine, folder: string, sums: ReadonlyMap<string, string>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetchOnce(engine, folder, sums);
    } catch (error) {
      const delayMs = retryDelaysMs[attempt];
      if (delayMs === undefined) throw error;
      await delay(delayMs);
    }
  }
}

/**
 * Folder with the jars of an engine. They are fetched with Maven once and kept in the user's cache folder; every call
 * checks them against the list, and fetches them again when they differ. UNAVAILABLE when that fails three times.
 */
export async function fetchJars(engine: JarEngine): Promise<string> {
  const sums = readSums(packageFile(`${engine}.sha256`));
  const version = createHash("sha256")
    .update(readFileSync(packageFile(`${engine}.pom.xml`)))
    .update(readFileSync(packageFile(`${engine}.sha256`)))
    .digest("hex");
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chappe-engines");
  const folder = join(cache, `${engine}-${version.slice(0, 12)}`);
  mkdirSync(cache, { recursive: true });
  return withLock(`${folder}.lock`, fetchTimeoutMs, async () => {
    if (existsSync(folder) && (await jarProblems(folder, sums)).length === 0) return folder;
    process.stderr.write(`engines: fetching ${engine} ${engineVersions[engine]} from Maven Central into ${folder}\n`);
    await fetchWithRetries(engine, folder, sums);
    return folder;
  });
}
