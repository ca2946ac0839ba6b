import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { startServer } from "@chappe/bench/support/start-server.ts";
import { type ChappeClient, connect, register, type Tokens } from "@chappe/sdk/src/index.ts";
import { type BackendProcess, type BackendProgram, startBackend } from "./backend.ts";
import { callMethod, compileDice, type DiceCallOptions } from "./dice.ts";

const env = {
  CHAPPE_ARGON2_MEMORY_KIB: "8",
  CHAPPE_ARGON2_PASSES: "1",
  CHAPPE_AUTH_ATTEMPT_BURST: "100000",
  CHAPPE_GRPC_PORT: "0",
  CHAPPE_TRACE_RATE: "1",
};

/** A server process, a signed-in user on a WebSocket, and the backends of a test. */
export interface World {
  readonly url: string;
  /** "host:port" of gRPC. */
  readonly grpc: string;
  readonly tokens: Tokens;
  readonly client: ChappeClient;
  readonly dice: DescService;
  /** Calls DiceService over the WebSocket. */
  call<T>(method: string, input: Record<string, unknown>, options?: DiceCallOptions): Promise<T>;
  /** Starts a backend that registers with the server. */
  backend(program: BackendProgram, args?: readonly string[]): BackendProcess;
  close(): Promise<void>;
}

/** Starts one. */
export async function startWorld(more: Readonly<Record<string, string>> = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "chappe-polyglot-"));
  const server = await startServer({ dataDir: join(folder, "data"), env: { ...env, ...more } });
  const url = `http://127.0.0.1:${server.port}`;
  const tokens = await register({ url, name: "gambler", password: "correct horse" });
  const client = await connect({ url, token: tokens.accessToken });
  const backends: BackendProcess[] = [];
  const dice = compileDice();
  const grpc = `127.0.0.1:${server.ready.grpc}`;
  return {
    url,
    grpc,
    tokens,
    client,
    dice,
    call: (method, input, options) => callMethod(client.transport, dice, method, input, options),
    backend(program, args = []) {
      const backend = startBackend(program, ["--route", grpc, ...args]);
      backends.push(backend);
      return backend;
    },
    async close() {
      for (const backend of backends) await backend.stop("SIGKILL");
      await client.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
