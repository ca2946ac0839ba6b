/** Runs one attack in a thread of its own, so that it costs the well-behaved clients nothing but what the server gives it. */
import { parentPort, workerData } from "node:worker_threads";
import { frameBombs } from "./frame-bombs.ts";
import { foreignTokens, rapidReset, silentFlood, slowloris } from "./stream-attacks.ts";
import type { Attack, Target } from "./target.ts";
import { udpReplay, udpSpoofing } from "./udp-attacks.ts";

/** Attacks nobody, but takes a core as attackers on this machine do: what clients get beside it is what to compare with. */
const busy: Attack = async (_, untilMs) => {
  let turns = 0;
  for (; performance.now() < untilMs; turns++) await new Promise((resolve) => setImmediate(resolve));
  return { turns };
};

const attacks: Readonly<Record<string, Attack>> = {
  busy,
  slowloris,
  silentFlood,
  frameBombs,
  foreignTokens,
  rapidReset,
  udpSpoofing,
  udpReplay,
};

const { name, target, forMs } = workerData as { name: string; target: Target; forMs: number };
const outcomes = await attacks[name]!(target, performance.now() + forMs);
parentPort!.postMessage(outcomes);
