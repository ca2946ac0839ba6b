import { MeshProcesses } from "@chappe/bench/support/mesh-processes.ts";
import type { EngineServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { createSeededRandom } from "../history/seeded-random.ts";
import { framesOver, transportKinds } from "./frames-over.ts";
import { type KillOptions, type KillResult, type LoadView, runUnderLoad } from "./run-under-load.ts";
import type { Kill } from "./server-killer.ts";
import { addJoiner, removeLeaver } from "./world.ts";

/** What is done to a process. */
export type Harm = "kill" | "stall" | "drain";

/** One act: which process, and what is done to it. */
export interface Act {
  readonly name: string;
  readonly harm: Harm;
}

const stallMs = 10_000;
const quietMs = 1_500;
const recoveryTimeoutMs = 60_000;
const harms: readonly Harm[] = ["kill", "stall", "drain"];

/** Login, Route and Online twice each, and core. */
export const signallingMembers: Readonly<Record<string, string>> = {
  "route-1": "route",
  "route-2": "route",
  core: "core",
  "online-1": "online",
  "online-2": "online",
  "login-1": "login",
  "login-2": "login",
};

/** The same with Online in Login's processes. */
export const foldedMembers: Readonly<Record<string, string>> = {
  "route-1": "route",
  "route-2": "route",
  core: "core",
  "login-1": "login,online",
  "login-2": "login,online",
};

/** Every harm to one process of each kind, and then to its twin. */
export function everyAct(members: Readonly<Record<string, string>>): Act[] {
  return Object.keys(members).flatMap((name, index) =>
    name.endsWith("-2") ? [{ name, harm: harms[index % harms.length]! }] : harms.map((harm) => ({ name, harm })),
  );
}

/** Settles when each client has had an ack of a send that began after this call. */
export function everyoneAcked({ clients, hooks }: LoadView): Promise<void> {
  const waiting = new Set(clients.keys());
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`clients ${[...waiting].join(", ")} had no ack in time`)),
      recoveryTimeoutMs,
    );
    hooks.onAck = (index) => {
      waiting.delete(index);
      if (waiting.size > 0) return;
      clearTimeout(timer);
      hooks.onAck = () => undefined;
      resolve();
    };
  });
}

/** How many sends are in flight, as soon as there are some. */
export async function inFlightNow(on: LoadView): Promise<number> {
  while (on.inFlight() === 0)
    await new Promise<void>((resolve) => {
      on.hooks.onSending = resolve;
    });
  return on.inFlight();
}

async function harmEngine(server: EngineServer, harm: Harm): Promise<void> {
  if (harm === "stall") {
    await server.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, stallMs));
    return server.kill("SIGCONT");
  }
  await server.kill(harm === "kill" ? "SIGKILL" : "SIGTERM");
  return server.restart();
}

async function harmProcess(mesh: MeshProcesses, { name, harm }: Act): Promise<unknown> {
  if (harm === "kill") return mesh.killAndRestart(name);
  return harm === "stall" ? mesh.stall(name, stallMs) : mesh.terminateAndRestart(name);
}

/** Does one act and waits until every client is served again. */
async function perform(mesh: MeshProcesses, engines: HarmedEngines | undefined, act: Act, on: LoadView): Promise<Kill> {
  const inFlight = await inFlightNow(on);
  const startMs = performance.now();
  const engine = engines?.servers[act.name];
  await (engine === undefined ? harmProcess(mesh, act) : harmEngine(engine, act.harm));
  await everyoneAcked(on);
  return { inFlight, recoveryMs: performance.now() - startMs };
}

/** What to run besides the load. */
export interface SignallingOptions extends KillOptions {
  readonly members: Readonly<Record<string, string>>;
  readonly acts: readonly Act[];
  /** Starts the engines beneath the processes. @default the embedded ones */
  readonly startEngines?: () => Promise<HarmedEngines>;
}

/** Engines that acts may name. */
export interface HarmedEngines {
  readonly servers: Readonly<Record<string, EngineServer>>;
  /** Settings of the processes on them. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Processes of the signalling tier, harmed one after the other under load; then the checker decides. */
export async function disturbSignalling(options: SignallingOptions): Promise<KillResult> {
  const { members, acts, log, seed } = options;
  const mesh = new MeshProcesses();
  let engines: HarmedEngines | undefined;
  const random = createSeededRandom(seed);
  const logins = Object.keys(members).filter((name) => name.startsWith("login"));
  return runUnderLoad(options, {
    async start() {
      engines = await options.startEngines?.();
      await mesh.start(members, undefined, engines?.env);
    },
    httpPort: () => mesh.port(random.pick(logins)),
    // A client that lost its connection tries any Login, as it would by way of a balancer.
    clientPort: () => mesh.port(random.pick(logins)),
    clientSocket: (index) =>
      framesOver(transportKinds[index % transportKinds.length]!, () => mesh.ready(random.pick(logins))),
    async disturb(on) {
      const kills: Kill[] = [];
      const port = (): number => mesh.port(random.pick(logins));
      const { groups } = on.world;
      for (const [index, act] of acts.entries()) {
        await new Promise((resolve) => setTimeout(resolve, quietMs));
        const plan = groups[index % groups.length];
        const change = index < groups.length && plan !== undefined ? addJoiner(port(), on.world, plan) : undefined;
        change?.catch(() => undefined);
        kills.push(await perform(mesh, engines, act, on));
        await change;
        if (index < groups.length && plan !== undefined) await removeLeaver(port(), on.world, plan);
        const { inFlight, recoveryMs } = kills.at(-1)!;
        log(`${act.harm} ${act.name}: ${inFlight} sends in flight, all served after ${Math.round(recoveryMs)} ms`);
      }
      return kills;
    },
    async close() {
      log(mesh.logs());
      await mesh.close();
      await engines?.close();
    },
  });
}
