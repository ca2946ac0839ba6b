import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { ChappeError } from "../errors/chappe-error.ts";

const keptOutputBytes = 16 * 1024 * 1024;
const shownOutputBytes = 4 * 1024;

/** Where, as whom and how long a program may run. */
export interface RunOptions {
  readonly cwd: string;
  readonly timeoutMs: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly signal?: AbortSignal;
}

/** Runs a program to its end and answers with its output. UNAVAILABLE with the end of it when it fails. */
export async function runToEnd(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { timeoutMs, ...rest } = options;
  try {
    const run = { ...rest, timeout: timeoutMs, maxBuffer: keptOutputBytes, killSignal: "SIGKILL" as const };
    const { stdout, stderr } = await promisify(execFile)(program, [...args], run);
    return `${stdout}${stderr}`;
  } catch (cause) {
    const { stdout = "", stderr = "", message } = cause as { stdout?: string; stderr?: string; message: string };
    const output = `${stdout}${stderr}`.slice(-shownOutputBytes);
    throw new ChappeError("UNAVAILABLE", `${program} failed: ${message.split("\n")[0]}\n${output}`, { cause });
  }
}
