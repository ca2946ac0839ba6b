import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The repository's root folder. */
export const root: string = fileURLToPath(new URL("../../../", import.meta.url));

/** The examples. */
export const examples: string = join(root, "examples");

/** Where tools and builds are kept between runs, outside the tree. */
export const cacheFolder: string = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "chappe-polyglot");

/** Where and with what a tool runs. */
export interface ToolOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** @default 300,000 */
  readonly timeoutMs?: number;
}

/** Runs a tool to its end; answers what it printed, rejects with it. */
export async function runTool(program: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { cwd = root, env = {}, timeoutMs = 300_000 } = options;
  try {
    const run = { cwd, env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
    const { stdout, stderr } = await promisify(execFile)(program, [...args], run);
    return `${stdout}${stderr}`;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
