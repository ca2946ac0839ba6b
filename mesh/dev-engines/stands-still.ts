import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const pollMs = 5;
const stopTimeoutMs = 5_000;

/** States of the threads of a process, as /proc has them; none when it is gone, or there is no /proc. */
function threadStates(pid: number): string[] {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks).map((task) => {
      const stat = readFileSync(`${tasks}/${task}/stat`, "utf8");
      // After the name, which may hold anything.
      return stat[stat.lastIndexOf(")") + 2]!;
    });
  } catch {
    return [];
  }
}

/**
 * Waits until no thread of a process runs, because of a SIGSTOP, or so long; answers whether that is so. On a busy machine
 * some go on for as long as it takes to be their turn, and answer meanwhile. True at once where there is no /proc.
 */
export async function standsStill(pid: number, timeoutMs: number = stopTimeoutMs): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  while (threadStates(pid).some((state) => state !== "T")) {
    if (performance.now() > endMs) return false;
    await sleep(pollMs);
  }
  return true;
}
