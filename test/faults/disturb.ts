import { setTimeout as sleep } from "node:timers/promises";
import { createSeededRandom } from "../history/seeded-random.ts";
import { type Act, performAct } from "./act.ts";
import { transportKinds } from "./frames-over.ts";
import { type KillOptions, type KillResult, runUnderLoad } from "./run-under-load.ts";
import type { Kill } from "./server-killer.ts";
import { clientsOf, openStage, type Stage, type StageOptions } from "./stage.ts";
import { addJoiner, removeLeaver } from "./world.ts";

const quietMs = 1_500;

/** Acts one after the other under load, a change of members during each; then the checker decides. The stage stays up. */
export function disturb(stage: Stage, acts: readonly Act[], options: KillOptions): Promise<KillResult> {
  const { log, seed, transports = transportKinds } = options;
  const random = createSeededRandom(seed);
  const clients = clientsOf(stage, random, transports);
  return runUnderLoad(options, {
    ...clients,
    silent: stage.silent,
    start: async () => undefined,
    async disturb(on) {
      const kills: Kill[] = [];
      const { groups } = on.world;
      for (const [index, act] of acts.entries()) {
        await sleep(quietMs);
        const plan = index < groups.length ? groups[index] : undefined;
        const change = plan === undefined ? undefined : addJoiner(clients.httpPort(), on.world, plan);
        change?.catch(() => undefined);
        const kill = await performAct(act, stage, on, log);
        kills.push(kill);
        await change;
        if (plan !== undefined) await removeLeaver(clients.httpPort(), on.world, plan);
        log(`${act.what}: ${kill.inFlight} sends in flight, all served after ${Math.round(kill.recoveryMs)} ms`);
      }
      return kills;
    },
    close: async () => undefined,
  });
}

/** The same on a stage of its own. */
export async function disturbOnce(how: StageOptions, acts: readonly Act[], options: KillOptions): Promise<KillResult> {
  const stage = await openStage(how);
  try {
    return await disturb(stage, acts, options);
  } finally {
    options.log(stage.mesh.logs());
    await stage.close();
  }
}
