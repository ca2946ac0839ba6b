/**
 * Decides whether node_modules fits package-lock.json, and installs when it does not.
 * Plain JavaScript without dependencies: it runs before anything is installed, under Node 20 or newer.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Waits before the second, third and fourth try of an install that the network broke. */
const retryDelaysMs = [2_000, 5_000, 15_000];
const networkFailure =
  /ECONNRESET|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|EPIPE|ERR_SOCKET_TIMEOUT|socket hang up|network|E(?:429|500|502|503|504)\b/i;

const readText = (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);

/** Identity of one lock file's text. */
export const lockHash = (lockText) => createHash("sha256").update(lockText).digest("hex");

/** The Node that the project brings with it. */
export const runtimePath = (root) => join(root, "node_modules", "node", "bin", "node");

const stampPath = (root) => join(root, "node_modules", ".chappe-lock-hash");

/** PATH without any node_modules/.bin: there a `node` may lie that an install is about to replace. */
export function pathWithoutPackages(path) {
  return path
    .split(delimiter)
    .filter((entry) => !/[\\/]node_modules[\\/]/.test(`${entry}/`))
    .join(delimiter);
}

/** First difference between what the lock file wants and what npm says is there, as a phrase; undefined = none. */
export function firstDifference(lockText, installedText) {
  const wanted = JSON.parse(lockText).packages ?? {};
  const installed = JSON.parse(installedText).packages ?? {};
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const found = installed[path];
    const name = path.replace(/^.*node_modules\//, "");
    if (found === undefined) {
      if (entry.optional || entry.devOptional) continue;
      return `${name} is missing`;
    }
    if (found.version !== entry.version) return `${name} is ${found.version}, not ${entry.version}`;
    if (found.resolved !== entry.resolved && (found.link || entry.link)) return `${name} points elsewhere`;
  }
  const extra = Object.keys(installed).find((path) => wanted[path] === undefined);
  return extra === undefined ? undefined : `${extra.replace(/^.*node_modules\//, "")} is not wanted any more`;
}

/** Why the packages must be installed, as a phrase; undefined when all are there. */
export function installReason(root) {
  const lockText = readFileSync(join(root, "package-lock.json"), "utf8");
  if (!existsSync(join(root, "node_modules"))) return "first run";
  if (!existsSync(runtimePath(root))) return "the project's own Node is missing";
  if (readText(stampPath(root)) === lockHash(lockText)) return undefined;
  const installedText = readText(join(root, "node_modules", ".package-lock.json"));
  if (installedText === undefined) return "an earlier install did not end";
  const difference = firstDifference(lockText, installedText);
  return difference === undefined ? undefined : `package-lock.json has changed: ${difference}`;
}

function runNpmInstall(root) {
  const env = {
    ...process.env,
    PATH: pathWithoutPackages(process.env.PATH ?? ""),
    // The Node at hand may be older than `engines`; the one that runs the project is among the packages.
    npm_config_engine_strict: "false",
  };
  // Not `npm ci`: it refuses a lock file made where the registry has the packages of one platform only.
  const args = ["install", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  return new Promise((resolve) => {
    const child = spawn("npm", args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    const chunks = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    child.on("error", (error) => resolve({ code: 1, output: `npm did not start: ${error.message}` }));
    child.on("close", (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

async function installWithRetries(root, say) {
  for (let attempt = 0; ; attempt++) {
    const { code, output } = await runNpmInstall(root);
    if (code === 0) return;
    const delayMs = networkFailure.test(output) ? retryDelaysMs[attempt] : undefined;
    if (delayMs === undefined) throw new Error(`npm install failed with code ${code}:\n${output.trimEnd()}`);
    say(`The network broke the install; trying again in ${delayMs / 1000} s.`);
    await delay(delayMs);
  }
}

/** Installs the packages of package-lock.json when they are not there already. Rejects with npm's output. */
export async function ensureInstalled(root, say) {
  const reason = installReason(root);
  const lockText = readFileSync(join(root, "package-lock.json"), "utf8");
  if (reason !== undefined) {
    const startedMs = Date.now();
    const packages = Object.keys(JSON.parse(lockText).packages).length;
    say(`Installing up to ${packages} packages, with Node among them, into node_modules (${reason}).`);
    await installWithRetries(root, say);
    // The versions are those of the lock file; npm may only have written it down in another way.
    writeFileSync(join(root, "package-lock.json"), lockText);
    say(`Installed in ${Math.round((Date.now() - startedMs) / 1000)} s.`);
    if (!existsSync(runtimePath(root))) {
      throw new Error(
        "npm installed no node_modules/node/bin/node: were install scripts switched off (ignore-scripts)?",
      );
    }
  }
  if (readText(stampPath(root)) !== lockHash(lockText)) writeFileSync(stampPath(root), lockHash(lockText));
}
