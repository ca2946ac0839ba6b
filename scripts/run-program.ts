import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const root: string = fileURLToPath(new URL("../", import.meta.url));

/** How a program ended. */
export interface ProgramResult {
  /** Exit code; 1 when it was killed or did not start. */
  readonly code: number;
  /** Standard output and standard error, interleaved as they came. */
  readonly output: string;
}

/** How to run a program. */
export interface ProgramOptions {
  /** Working folder. @default the repository's root */
  readonly cwd?: string;
  /** After so long it is killed, and that counts as a failure. */
  readonly timeoutMs: number;
  /** True lets it write to this process's own output; then `output` stays empty. @default false */
  readonly inherit?: boolean;
}

const endingSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs a program to its end, without standard input. Never rejects: a program that does not start has code 1. */
export function runProgram(program: string, args: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const { cwd = root, timeoutMs, inherit = false } = options;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      stdio: inherit ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
    });
    const chunks: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    const stop = (signal: (typeof endingSignals)[number]): void => {
      child.kill("SIGTERM");
      process.exit(128 + constants.signals[signal]);
    };
    for (const signal of endingSignals) process.on(signal, stop);
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", (error) => chunks.push(Buffer.from(`${program} did not start: ${error.message}\n`)));
    child.on("close", (code) => {
      clearTimeout(timer);
      for (const signal of endingSignals) process.off(signal, stop);
      if (timedOut) chunks.push(Buffer.from(`${program} was killed after ${timeoutMs} ms\n`));
      resolve({ code: code === null || code < 0 ? 1 : code, output: Buffer.concat(chunks).toString() });
    });
  });
}
