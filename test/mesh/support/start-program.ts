import { join } from "node:path";
import { createEngineServer, settleServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { openRunDirectory } from "@chappe/mesh/dev-engines/run-directory.ts";

/** A program that stands beside Chappe in tests. */
export interface ProgramOptions {
  /** For messages and files. */
  readonly name: string;
  readonly program: string;
  /** Its arguments, after `folder`, where it runs, has got what it reads. */
  readonly prepare: (folder: string) => readonly string[];
  /** Resolves when it answers. */
  readonly check: () => Promise<void>;
  readonly timeoutMs: number;
  /** How it is ended. @default SIGKILL */
  readonly endsBy?: "SIGKILL" | "SIGTERM";
}

/** Starts it in a folder of its own and waits until it answers; answers how to end it. UNAVAILABLE with its log if not. */
export function startProgram({ name, program, prepare, check, timeoutMs, endsBy }: ProgramOptions) {
  const run = openRunDirectory(name, undefined);
  const process = {
    program,
    args: prepare(run.path),
    cwd: run.path,
    logFile: join(run.path, `${name}.log`),
    ...(run.temporary !== undefined && { temporaryDirectory: run.temporary }),
  };
  return settleServer(createEngineServer({ what: name, process, check, timeoutMs }), run, endsBy);
}

/** Rejects unless a program's page answers well in time. */
export async function answersWell(url: string, request: RequestInit, timeoutMs: number): Promise<void> {
  const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(timeoutMs) });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
}
