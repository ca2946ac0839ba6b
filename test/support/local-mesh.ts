import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MeshCertificates } from "@chappe/bench/support/mesh-certificates.ts";
import { createMemoryDirectory } from "@chappe/mesh/engines/memory-directory/memory-directory.ts";
import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import { silentLogger } from "@chappe/mesh/lifecycle/logger.ts";
import { readConfig } from "@chappe/services/all/config.ts";
import { createServeOther } from "@chappe/services/all/serve-other.ts";
import { type RunningRoles, startRoles } from "@chappe/services/all/start-roles.ts";

/** A mesh in this process: every role on its own, with real links between them. */
export interface LocalMesh {
  /** Starts one more; `name` is unique. */
  start(role: string, name: string): Promise<RunningRoles>;
  /** All that run. */
  running(): readonly RunningRoles[];
  close(): Promise<void>;
}

/** Starts a mesh of two Routes, one core and two Online; `moreEnv` as for `npm start`. */
export async function startLocalMesh(moreEnv: Readonly<Record<string, string>> = {}): Promise<LocalMesh> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "chappe-mesh-"));
  const secretFile = join(dataDirectory, "link-secret");
  writeFileSync(secretFile, randomBytes(32));
  const certificates = new MeshCertificates(join(dataDirectory, "certificates"));
  const engines = { presence: createMemoryPresence(), directory: createMemoryDirectory() };
  const running: RunningRoles[] = [];
  const start = async (role: string, name: string): Promise<RunningRoles> => {
    const env = {
      CHAPPE_ARGON2_MEMORY_KIB: "8",
      CHAPPE_ARGON2_PASSES: "1",
      CHAPPE_AUTH_ATTEMPT_BURST: "100000",
      CHAPPE_INSTANCE_ID: name,
      CHAPPE_LINK_SECRET_FILE: secretFile,
      ...(await certificates.settingsFor(role)),
      ...moreEnv,
    };
    const ports = role === "login" ? ["--tcp-port", "0", "--grpc-port", "0", "--udp-port", "0"] : [];
    const args = ["--port", "0", "--data", join(dataDirectory, name), "--json", "--roles", role, ...ports];
    const serveOther = createServeOther(join(dataDirectory, "no-pages"), { demoNames: [], demoPassword: "" });
    const onFailed = (error: Error): void => {
      throw error;
    };
    const roles = await startRoles({
      config: readConfig(args, env),
      engines,
      logger: silentLogger,
      serveOther,
      onFailed,
    });
    running.unshift(roles);
    return roles;
  };
  for (const name of ["route-1", "route-2", "core", "online-1", "online-2"]) await start(name.split("-")[0]!, name);
  return {
    start,
    running: () => running,
    async close() {
      for (const roles of running) await roles.close();
      await engines.presence.close();
      await engines.directory.close();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}
