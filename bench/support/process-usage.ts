import { readFileSync } from "node:fs";

/** USER_HZ of Linux: the unit of the times in /proc/<pid>/stat. */
const ticksPerSecond = 100;

/** CPU seconds of a process since its start: user and system time of all its threads. */
export function cpuSecondsOf(pid: number): number {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, "latin1"));
}

/** CPU seconds in a line of /proc/<pid>/stat. The name in parentheses may itself hold spaces and parentheses. */
export function parseCpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resident memory of a process, in KiB. */
export function rssKibOf(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  if (found === null) throw new Error(`process ${pid} shows no VmRSS`);
  return Number(found[1]);
}
