import { setTimeout as sleep } from "node:timers/promises";
import type { EngineServer } from "@chappe/mesh/dev-engines/engine-server.ts";
import { monotonicUs } from "./history-recorder.ts";
import type { LoadView } from "./run-under-load.ts";
import type { Kill } from "./server-killer.ts";
import type { SlimClient } from "./slim-client.ts";
import type { Stage } from "./stage.ts";

/** What is done to a process or an engine. */
export type Harm = "kill" | "stall" | "drain";

/** One act. */
export interface Act {
  /** For people. */
  readonly what: string;
  /** Does it, and undoes it where it does not pass by itself. Rejects when it was not the fault that it is meant to be. */
  perform(stage: Stage, on: LoadView, notes: ActNotes): Promise<void>;
}

/** What an act tells. */
export interface ActNotes {
  log(text: string): void;
  /** So many sends got an ack though nothing can have stored them. */
  faked(acks: number): void;
}

/** Past every lease and session of the mesh. */
export const stallMs = 10_000;
const recoveryTimeoutMs = 90_000;
const msPerUs = 1e-3;

async function harmEngine(server: EngineServer, harm: Harm): Promise<void> {
  if (harm === "stall") {
    await server.kill("SIGSTOP");
    await sleep(stallMs);
    return server.kill("SIGCONT");
  }
  await server.kill(harm === "kill" ? "SIGKILL" : "SIGTERM");
  return server.restart();
}

/** kill -9, SIGSTOP of 10 s or SIGTERM of a process or engine of the stage, and its start again. */
export const harmOf = (harm: Harm, name: string): Act => ({
  what: `${harm} ${name}`,
  async perform({ mesh, engines }) {
    const server = engines?.servers[name];
    if (server !== undefined) return harmEngine(server, harm);
    if (harm === "kill") await mesh.killAndRestart(name);
    else if (harm === "stall") await mesh.stall(name, stallMs);
    else await mesh.terminateAndRestart(name);
  },
});

const describe = (client: SlimClient): string =>
  `${client.user}${client.connected ? "" : ", not connected"}, ${client.outbox.size} open, ${client.outbox.describe()[0] ?? ""}`;

/** Settles, with how long that took, when each client has had an ack after this call. */
export function everyoneAcked(on: LoadView): Promise<number> {
  const { clients, hooks } = on;
  const waiting = new Set(clients.keys());
  const startUs = monotonicUs();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`no ack in time: ${[...waiting].map((index) => describe(clients[index]!)).join("; ")}`)),
      recoveryTimeoutMs,
    );
    // An act may wait so in the middle of another wait.
    const others = hooks.onAck;
    const onAck = (index: number): void => {
      others(index);
      waiting.delete(index);
      if (waiting.size > 0) return;
      clearTimeout(timer);
      if (hooks.onAck === onAck) hooks.onAck = others;
      resolve((monotonicUs() - startUs) * msPerUs);
    };
    hooks.onAck = onAck;
  });
}

/** Settles, with how many, when sends are on the wire without an answer. */
export async function inFlightNow(on: LoadView): Promise<number> {
  while (on.inFlight() === 0)
    await new Promise<void>((resolve) => {
      on.hooks.onSending = resolve;
    });
  return on.inFlight();
}

/** Does one act while sends are in flight, and waits until everybody is served again. */
export async function performAct(act: Act, stage: Stage, on: LoadView, log: (text: string) => void): Promise<Kill> {
  const inFlight = await inFlightNow(on);
  const startUs = monotonicUs();
  let faked = 0;
  const notes: ActNotes = {
    log,
    faked: (acks) => {
      faked += acks;
    },
  };
  const [recoveryMs] = await Promise.all([everyoneAcked(on), act.perform(stage, on, notes)]);
  // Those who were served before the end of the act must be so after it too.
  await everyoneAcked(on);
  return { what: act.what, startUs, inFlight, recoveryMs, faked };
}
