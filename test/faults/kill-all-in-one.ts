import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings } from "@chappe/bench/scenarios/bench-server.ts";
import { createSeededRandom } from "../history/seeded-random.ts";
import { type KillOptions, type KillResult, runUnderLoad } from "./run-under-load.ts";
import { type Kill, ServerKiller } from "./server-killer.ts";
import { addJoiner, removeLeaver, type World } from "./world.ts";

/** Kills while members of the groups come and go, one change per kill or so. */
async function killRepeatedly(killer: ServerKiller, world: World, port: number, options: KillOptions): Promise<Kill[]> {
  const kills: Kill[] = [];
  const changes = world.groups.flatMap((plan) => [
    () => addJoiner(port, world, plan),
    () => removeLeaver(port, world, plan),
  ]);
  const perKill = Math.ceil(changes.length / options.kills);
  for (let i = 0; i < options.kills; i++) {
    const membership = Promise.all(changes.slice(i * perKill, (i + 1) * perKill).map((change) => change()));
    membership.catch(() => {});
    kills.push(await killer.killOnce());
    await membership;
    const { inFlight, recoveryMs } = kills.at(-1)!;
    options.log(`kill ${i + 1}: ${inFlight} sends in flight, first ack after ${Math.round(recoveryMs)} ms`);
  }
  return kills;
}

/** kill -9 of the one process that runs every role, under load, again and again; then the checker decides. */
export async function killAllInOne(options: KillOptions): Promise<KillResult> {
  const dataDir = mkdtempSync(join(tmpdir(), "chappe-faults-"));
  const server = { dataDir, args: options.serverArgs, env: { ...loadSettings, ...options.serverEnv } };
  let inFlight = (): number => 0;
  const random = createSeededRandom(options.seed);
  const killer = new ServerKiller({ server, random, inFlight: () => inFlight() });
  let port = 0;
  return runUnderLoad(options, {
    async start() {
      port = await killer.start();
    },
    httpPort: () => port,
    clientPort: () => port,
    disturb(on) {
      inFlight = on.inFlight;
      on.hooks.onSending = () => killer.sending();
      on.hooks.onAck = () => killer.acked();
      return killRepeatedly(killer, on.world, port, options);
    },
    async close() {
      await killer.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  });
}
