import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { standsStill } from "./stands-still.ts";

const shownLogBytes = 4 * 1024;
const stopTimeoutMs = 15_000;

/** How to start a process of an engine. */
export interface EngineProcessOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** What it writes to stdout and stderr is appended here. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  /** User and group to run as; needs root. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Removed when this process dies without closing the engine. */
  readonly temporaryDirectory?: string;
}

/** A process of an engine, ours. It is killed when this process ends, in whatever way. */
export interface EngineProcess {
  /** 0 when it did not start. */
  readonly pid: number;
  /** Settles when it has ended, with its exit code, signal or why it did not start. */
  readonly exited: Promise<string>;
  /** How it ended; undefined while it runs. */
  ended(): string | undefined;
  /** The end of its log. */
  logTail(): string;
  /**
   * Sends the signal; SIGKILL and SIGTERM wait for the end, and SIGTERM becomes SIGKILL after 15 s. SIGSTOP waits until
   * it stands still.
   */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** From now on it goes on when this process ends. */
  release(): void;
}

/** The last bytes of a file, as text; "" when there is none. */
function tailOf(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const bytes = Buffer.alloc(shownLogBytes);
    const from = Math.max(0, statSync(path).size - shownLogBytes);
    return bytes.toString("utf8", 0, readSync(file, bytes, 0, shownLogBytes, from));
  } finally {
    closeSync(file);
  }
}

/**
 * A shell that waits on a pipe from this process. A line lets it go; the end of the pipe, which comes even when this
 * process is killed with -9, makes it kill the engine and remove its files.
 */
function startGuard(pid: number, directory: string | undefined): { release(): void } {
  const script = `trap '' INT TERM HUP; read -r line || { kill -9 "$0"; [ -z "$1" ] || { sleep 1; rm -rf "$1"; }; }`;
  const guard = spawn("sh", ["-c", script, String(pid), directory ?? ""], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.on("error", () => undefined);
  guard.stdin.on("error", () => undefined);
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return { release: () => void guard.stdin.end("\n") };
}

function spawnLogged({ program, args, cwd, logFile, env, user }: EngineProcessOptions): ChildProcess {
  const log = openSync(logFile, "a");
  try {
    return spawn(program, [...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", log, log],
      // Ctrl-C in a terminal is for this process; it decides what its engines do.
      detached: true,
      ...user,
    });
  } finally {
    closeSync(log);
  }
}

/** Starts a process of an engine. Never throws for a program that does not start: `exited` says so. */
export function startEngineProcess(options: EngineProcessOptions): EngineProcess {
  const child = spawnLogged(options);
  const pid = child.pid ?? 0;
  let ended: string | undefined;
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`did not start: ${error.message}`));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  }).then((how) => {
    ended = how;
    return how;
  });
  const guard = pid === 0 ? undefined : startGuard(pid, options.temporaryDirectory);
  void exited.then(() => guard?.release());
  return {
    pid,
    exited,
    ended: () => ended,
    logTail: () => tailOf(options.logFile),
    async kill(signal) {
      if (ended !== undefined) return;
      child.kill(signal);
      if (signal === "SIGSTOP") await standsStill(pid);
      if (signal !== "SIGKILL" && signal !== "SIGTERM") return;
      const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
      await exited;
      clearTimeout(timer);
    },
    release() {
      guard?.release();
      child.unref();
    },
  };
}
