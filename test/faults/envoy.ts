import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MeshProcesses } from "@chappe/bench/support/mesh-processes.ts";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { type EnvoyServer, startEnvoy } from "@chappe/mesh/dev-engines/start-envoy.ts";
import { everyoneAcked, inFlightNow } from "./act.ts";
import { framesOver, type TransportKind } from "./frames-over.ts";
import { monotonicUs } from "./history-recorder.ts";
import { type KillOptions, type KillResult, type LoadView, runUnderLoad, waitUntil } from "./run-under-load.ts";
import type { Kill } from "./server-killer.ts";

/** What is done to Envoy, or to the Login processes behind it. */
export type EnvoyAct = "kill envoy" | "drain envoy" | "scale to 3" | "scale to 1";

/** All of them. */
export const envoyActs: readonly EnvoyAct[] = ["kill envoy", "scale to 3", "drain envoy", "scale to 1"];

/** Clients reach UDP without Envoy. */
const kinds: readonly TransportKind[] = ["websocket", "tcp", "grpc", "connect", "grpc-web"];
const listenerFlags = ["--tcp-port", "0", "--grpc-port", "0"];
const quietMs = 1_500;
const fileTimeoutMs = 20_000;
const noBounds = { connectsPerSecond: 100_000, requestsPerSecond: 100_000, requestsPerSecondPerAddress: 100_000 };

/** A mesh whose Login processes come and go behind Envoy, in the form that follows the Directory. */
class EnvoyMesh {
  readonly mesh = new MeshProcesses();
  readonly #folder = mkdtempSync(join(tmpdir(), "chappe-envoy-faults-"));
  readonly #files = join(this.#folder, "files");
  readonly #envoys: EnvoyServer[] = [];
  #settings: Readonly<Record<string, string | number>> = {};
  #logins = 1;

  async start(): Promise<void> {
    mkdirSync(this.#files);
    this.#settings = {
      ...noBounds,
      host: "127.0.0.1",
      port: await freePort(),
      tcpPort: await freePort(),
      adminPort: await freePort(),
    };
    const settingsFile = join(this.#folder, "settings.json");
    writeFileSync(settingsFile, JSON.stringify(this.#settings));
    const members = { "route-1": "route", core: "core", "online-1": "online", "login-1": "login" };
    await this.mesh.start(members, 1, {
      CHAPPE_TRUSTED_PROXIES: "127.0.0.1",
      CHAPPE_ENVOY_DIRECTORY: this.#files,
      CHAPPE_ENVOY_SETTINGS_FILE: settingsFile,
      CHAPPE_DRAIN_MS: "3000",
    });
    await this.mesh.add("control", "envoy-control", []);
    if (!(await waitUntil(() => existsSync(join(this.#files, "eds-login_http.yaml")), fileTimeoutMs)))
      throw new Error("envoy-control has written no endpoints");
    await this.#startEnvoy(this.#settings);
  }

  get ports(): { port: number; tcp: number } {
    return { port: Number(this.#settings.port), tcp: Number(this.#settings.tcpPort) };
  }

  async perform(act: EnvoyAct): Promise<void> {
    if (act === "kill envoy") return this.#envoys.at(-1)!.restart();
    if (act === "drain envoy") {
      // Its successor listens on the same ports before it stops.
      const old = this.#envoys.at(-1)!;
      await this.#startEnvoy({ ...this.#settings, adminPort: await freePort() });
      return old.drain();
    }
    if (act === "scale to 3") {
      await Promise.all(["login-2", "login-3"].map((name) => this.mesh.add(name, "login", listenerFlags)));
      this.#logins = 3;
      return this.#sees(this.#logins);
    }
    // Not the youngest: everybody who was there before has to move.
    for (const name of ["login-1", "login-2"]) {
      const how = await this.mesh.stop(name);
      if (how !== "exit code 0") throw new Error(`${name} ended with ${how}`);
    }
    this.#logins = 1;
    await this.#sees(this.#logins);
  }

  /** What the processes and Envoy said last. */
  logs(): string {
    return this.mesh.logs();
  }

  async close(): Promise<void> {
    for (const envoy of this.#envoys) await envoy.close();
    await this.mesh.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startEnvoy(settings: Readonly<Record<string, string | number>>): Promise<void> {
    this.#envoys.push(await startEnvoy({ settings, filesFrom: this.#files }));
    await this.#sees(this.#logins);
  }

  /** Waits until Envoy has so many healthy Logins. */
  async #sees(count: number): Promise<void> {
    const stat = "cluster.login_http.membership_healthy";
    for (const endMs = performance.now() + fileTimeoutMs; performance.now() < endMs; ) {
      if ((await this.#envoys.at(-1)!.admin(`/stats?filter=^${stat}$`)).trim() === `${stat}: ${count}`) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`Envoy does not see ${count} Logins`);
  }
}

/** One act; then every client is served again. */
async function performUnder(mesh: EnvoyMesh, act: EnvoyAct, on: LoadView): Promise<Kill> {
  const inFlight = await inFlightNow(on);
  const [startMs, startUs] = [performance.now(), monotonicUs()];
  await mesh.perform(act);
  await everyoneAcked(on);
  return { what: act, startUs, inFlight, recoveryMs: performance.now() - startMs, faked: 0 };
}

/** Load through Envoy over every transport while it and the Logins behind it come and go; then the checker decides. */
export async function disturbEnvoy(options: KillOptions & { readonly acts: readonly EnvoyAct[] }): Promise<KillResult> {
  const mesh = new EnvoyMesh();
  const { log, acts } = options;
  return runUnderLoad(options, {
    start: () => mesh.start(),
    httpPort: () => mesh.ports.port,
    clientPort: () => mesh.ports.port,
    clientSocket: (index) =>
      framesOver(kinds[index % kinds.length]!, () => {
        const { port, tcp } = mesh.ports;
        return { ready: true, pid: 0, port, tcp, grpc: port };
      }),
    async disturb(on) {
      const kills: Kill[] = [];
      for (const act of acts) {
        await new Promise((resolve) => setTimeout(resolve, quietMs));
        kills.push(await performUnder(mesh, act, on));
        const { inFlight, recoveryMs } = kills.at(-1)!;
        log(`${act}: ${inFlight} sends in flight, all served after ${Math.round(recoveryMs)} ms`);
      }
      return kills;
    },
    async close() {
      log(mesh.logs());
      await mesh.close();
    },
  });
}
