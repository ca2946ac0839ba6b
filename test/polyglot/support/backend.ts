import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** How a backend is started: a program, what stands before its own arguments, and its environment. */
export interface BackendProgram {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A backend that runs. */
export interface BackendProcess {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  /** The next line, or one that came already, that has this text; rejects after a minute. */
  line(text: string): Promise<string>;
  /** Sends a signal and waits for the end; answers the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A bound for hangs: interpreters start slowly on a busy machine. */
const waitMs = 60_000;

/** Starts a backend with further arguments ("--instance", "a"). */
export function startBackend(program: BackendProgram, args: readonly string[]): BackendProcess {
  const child = spawn(program.program, [...program.args, ...args], {
    env: { ...process.env, ...program.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const onLine = (line: string): void => {
    lines.push(line);
    for (const check of waiting) check();
  };
  createInterface(child.stdout).on("line", onLine);
  createInterface(child.stderr).on("line", onLine);
  return {
    child,
    lines,
    line: (text) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const found = lines.find((line) => line.includes(text));
          if (found === undefined) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(found);
        };
        const timer = setTimeout(() => reject(new Error(`no "${text}" in:\n${lines.join("\n")}`)), waitMs);
        waiting.add(check);
        check();
      }),
    async stop(signal = "SIGTERM") {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const exit = once(child, "exit");
      child.kill(signal);
      await exit;
      return child.exitCode;
    },
  };
}
