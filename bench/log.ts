/**
 * CPU and time of appends to the embedded log: `node bench/log.ts [--json] [--seconds=2] [--directory=...]`.
 * Each row keeps as many appends in flight as its group size; CPU is that of the whole process, thread pool included.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createEmbeddedLog } from "@chappe/mesh/engines/embedded-log/create-embedded-log.ts";
import { createJournalFiles } from "@chappe/mesh/engines/embedded-log/journal-files.ts";
import { groupHeaderBytes } from "@chappe/mesh/engines/embedded-log/record-format.ts";
import type { Log } from "@chappe/mesh/ports/log.ts";

const groupSizes = [1, 16, 256];
const payloadBytes = 200;
/** Header of one record in the journal. */
const recordHeaderBytes = 20;
const warmUpRatio = 0.25;

interface Row {
  readonly groupSize: number;
  readonly appendsPerSecond: number;
  readonly cpuMicrosPerAppend: number;
  readonly cpuMicrosPerGroup: number;
  readonly userMicrosPerGroup: number;
  readonly groupMicros: number;
  /** CPU of a bare write and fdatasync of as many bytes: what the kernel takes, whoever asks. */
  readonly bareCpuMicrosPerGroup: number;
  /** What the log itself adds for one append. */
  readonly ownCpuMicrosPerAppend: number;
}

/** CPU, in microseconds, of one write and fdatasync of `lengthBytes`. */
async function bareCpuMicros(directory: string, lengthBytes: number, durationMs: number): Promise<number> {
  const file = await createJournalFiles().open(join(directory, `bare-${lengthBytes}`), "create");
  const bytes = new Uint8Array(lengthBytes).fill(0x61);
  try {
    const [cpu, until] = [process.cpuUsage(), performance.now() + durationMs];
    let rounds = 0;
    for (; performance.now() < until; rounds++) {
      await file.write(bytes, rounds * lengthBytes);
      await file.datasync();
    }
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / rounds;
  } finally {
    await file.close();
  }
}

/** Rounds of `groupSize` appends together, for at least `durationMs`; answers the number of rounds. */
async function appendFor(log: Log, groupSize: number, durationMs: number): Promise<number> {
  const payload = new Uint8Array(payloadBytes).fill(0x61);
  const until = performance.now() + durationMs;
  let rounds = 0;
  const appends = new Array<Promise<unknown>>(groupSize);
  while (performance.now() < until) {
    for (let i = 0; i < groupSize; i++) appends[i] = log.append("messages", i % log.partitions, payload);
    await Promise.all(appends);
    rounds++;
  }
  return rounds;
}

async function measure(directory: string, groupSize: number, durationMs: number): Promise<Row> {
  const log = await createEmbeddedLog({ directory });
  try {
    await appendFor(log, groupSize, durationMs * warmUpRatio);
    const [cpu, startedMs] = [process.cpuUsage(), performance.now()];
    const rounds = await appendFor(log, groupSize, durationMs);
    const elapsedMs = performance.now() - startedMs;
    const { user, system } = process.cpuUsage(cpu);
    const groupBytes = groupHeaderBytes + groupSize * (recordHeaderBytes + payloadBytes);
    const bareCpuMicrosPerGroup = await bareCpuMicros(directory, groupBytes, durationMs);
    const cpuMicrosPerGroup = (user + system) / rounds;
    return {
      groupSize,
      appendsPerSecond: Math.round((rounds * groupSize * 1_000) / elapsedMs),
      cpuMicrosPerAppend: cpuMicrosPerGroup / groupSize,
      cpuMicrosPerGroup,
      userMicrosPerGroup: user / rounds,
      groupMicros: (elapsedMs * 1_000) / rounds,
      bareCpuMicrosPerGroup,
      ownCpuMicrosPerAppend: (cpuMicrosPerGroup - bareCpuMicrosPerGroup) / groupSize,
    };
  } finally {
    await log.close();
  }
}

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "2" },
    directory: { type: "string", default: tmpdir() },
  },
});
const home = await mkdtemp(join(values.directory, "chappe-bench-log-"));
try {
  const rows: Row[] = [];
  for (const groupSize of groupSizes) {
    rows.push(await measure(join(home, `${groupSize}`), groupSize, Number(values.seconds) * 1_000));
  }
  if (values.json) console.log(JSON.stringify({ payloadBytes, rows }));
  else
    console.table(
      rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, Number(v.toFixed(2))]))),
    );
} finally {
  await rm(home, { recursive: true, force: true });
}
