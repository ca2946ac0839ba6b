import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Field of /proc/<pid>/stat with the start, counted from the one after the name in parentheses. */
const startField = 19;

function readLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended; its parent only has not asked yet.
    if (fields[0] === "Z") return undefined;
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[startField]}`;
  } catch {
    return undefined;
  }
}

/** Text that only the process which has this pid now has: a later one with the same pid differs. undefined = it is gone. */
export function processIdentity(pid: number): string | undefined {
  if (existsSync("/proc/self/stat")) return readLinux(pid);
  try {
    const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" });
    return started.trim() || undefined;
  } catch {
    return undefined;
  }
}
