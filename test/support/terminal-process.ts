import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const entryPoint = fileURLToPath(new URL("../../clients/terminal-chat/main.ts", import.meta.url));
const waitMs = 20_000;

/** A terminal chat in a process of its own, its lines by pipe. */
export interface TerminalProcess {
  /** All it has written to stdout. */
  text(): string;
  errorText(): string;
  /** Writes lines to it. */
  type(...lines: string[]): void;
  /** Settles when stdout holds this; rejects after 20 s, with what there is. */
  shows(pattern: RegExp): Promise<void>;
  /** Ends the input; settles with the exit code. */
  end(): Promise<number | null>;
  kill(): void;
}

/** Starts `node clients/terminal-chat/main.ts`. */
export function startTerminal(args: readonly string[], env: Readonly<Record<string, string>> = {}): TerminalProcess {
  const child = spawn(process.execPath, [entryPoint, ...args], { env: { ...process.env, ...env } });
  let output = "";
  let errors = "";
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  child.stdin.on("error", () => undefined);
  const exited = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      resolve(code);
      wake();
    });
  });
  return {
    text: () => output,
    errorText: () => errors,
    type: (...lines) => void child.stdin.write(lines.map((line) => `${line}\n`).join("")),
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) => (): void => {
          done();
          reject(new Error(`${why}: ${pattern}\n${output}\n${errors}`));
        };
        const timer = setTimeout(fail("did not show in time"), waitMs);
        const done = (): void => {
          clearTimeout(timer);
          watchers.delete(check);
        };
        const check = (): void => {
          if (pattern.test(output)) {
            done();
            resolve();
          } else if (child.exitCode !== null) fail("ended before it showed")();
        };
        watchers.add(check);
        check();
      }),
    end: () => {
      child.stdin.end();
      return exited;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
