import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "../support/start-server.ts";

/** A load comes from one address: the cheapest argon2 that there is, and no limit of attempts and connections. */
export const loadSettings = {
  CHAPPE_ARGON2_MEMORY_KIB: "8",
  CHAPPE_ARGON2_PASSES: "1",
  CHAPPE_AUTH_ATTEMPT_BURST: "1000000",
  CHAPPE_CONNECTIONS_PER_ADDRESS: "100000",
  CHAPPE_CONNECTS_PER_SECOND_PER_ADDRESS: "100000",
} as const;

/** Runs `work` against a server that is closed afterwards; rejects when the server ends by itself. */
async function withServer<T>(
  dataDir: string,
  args: readonly string[],
  work: (server: ServerProcess) => Promise<T>,
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const server = await startServer({ dataDir, env: { ...loadSettings, ...env }, args });
  try {
    const ended = server.exited.then((how) => {
      throw new Error(`the server ended (${how})\n${server.errorText()}`);
    });
    ended.catch(() => {});
    return await Promise.race([work(server), ended]);
  } finally {
    await server.close();
  }
}

/** Runs `work` against a fresh server on an empty data directory, with further settings; both are gone afterwards. */
export async function withBenchServer<T>(
  args: readonly string[],
  work: (server: ServerProcess) => Promise<T>,
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), "chappe-bench-"));
  try {
    return await withServer(dataDir, args, work, env);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** As withBenchServer, with a server of its own for `prepare`: what preparing leaves in memory is not measured. */
export async function withRestartedServer<P, T>(
  args: readonly string[],
  prepare: (server: ServerProcess) => Promise<P>,
  work: (server: ServerProcess, prepared: P) => Promise<T>,
): Promise<T> {
  const dataDir = mkdtempSync(join(tmpdir(), "chappe-bench-"));
  try {
    const prepared = await withServer(dataDir, args, prepare);
    return await withServer(dataDir, args, (server) => work(server, prepared));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
