import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runToEnd } from "@chappe/mesh/dev-engines/run-to-end.ts";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import type { Cut } from "../engines/cutting-proxy.ts";
import { type Act, stallMs } from "./act.ts";
import type { StageEngines } from "./stage-engines.ts";

const pollMs = 100;
const takeoverTimeoutMs = 30_000;
/** For the threads of a stopped server to come to rest, and what they had asked of the disk. */
const stopMs = 300;
const cutPauseMs = 400;
const copyTimeoutMs = 30_000;
const cuts: readonly Cut[] = ["after", "before", "late", "after", "late", "before", "after"];

/** How far the writers have got, over all partitions. */
async function readProgress({ mariadb }: StageEngines): Promise<{ offsets: number; epochs: number }> {
  const connection = await createConnection({ ...mariadb.login });
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      "SELECT SUM(next_offset) AS offsets, SUM(epoch) AS epochs FROM partition_progress",
    );
    return { offsets: Number(rows[0]!.offsets), epochs: Number(rows[0]!.epochs) };
  } finally {
    connection.destroy();
  }
}

/** Copies a folder with its owners. */
const copy = (from: string, to: string): Promise<unknown> =>
  runToEnd("cp", ["-a", from, to], { cwd: tmpdir(), timeoutMs: copyTimeoutMs });

/** The data directory as a crash at this moment would leave it. */
async function copyData({ mariadb, dataDirectory }: StageEngines, to: string): Promise<void> {
  await mariadb.kill("SIGSTOP");
  try {
    await sleep(stopMs);
    await copy(join(dataDirectory, "data"), to);
  } finally {
    await mariadb.kill("SIGCONT");
  }
}

/** Connections of writers cut before, in and long before the end of a COMMIT: they cannot know whether it took effect. */
export const commitUnknown: Act = {
  what: "commits of unknown outcome",
  async perform(stage) {
    const { commits } = stage.engines!;
    for (const cut of cuts) {
      await commits.cutNext(cut);
      await sleep(cutPauseMs);
      if (cut === "late") commits.releaseCommit();
    }
  },
};

/** A writer sleeps until another has taken its partitions over, and wakes with commits in its hands. */
export const zombie = (name: string): Act => ({
  what: `${name} sleeps past its session and wakes`,
  async perform({ mesh, engines }, _, { log }) {
    const before = await readProgress(engines!);
    const startMs = performance.now();
    process.kill(mesh.pid(name), "SIGSTOP");
    try {
      while ((await readProgress(engines!)).epochs === before.epochs) {
        if (performance.now() - startMs > takeoverTimeoutMs)
          throw new Error(`nobody took the partitions of ${name} over`);
        await sleep(pollMs);
      }
      const tookMs = performance.now() - startMs;
      log(`the partitions of ${name} had a new owner after ${Math.round(tookMs)} ms`);
      await sleep(Math.max(0, stallMs - tookMs));
    } finally {
      process.kill(mesh.pid(name), "SIGCONT");
    }
  },
});

/** The server dies, and comes back with the data of `tailMs` before. */
export const lostTail = (tailMs: number): Act => ({
  what: `MariaDB put back to a copy ${tailMs / 1_000} s old`,
  async perform({ engines }, _, { log }) {
    const { mariadb, dataDirectory } = engines!;
    const folder = mkdtempSync(join(tmpdir(), "chappe-faults-copy-"));
    const [old, data] = [join(folder, "data"), join(dataDirectory, "data")];
    try {
      const then = await readProgress(engines!);
      await copyData(engines!, old);
      await sleep(tailMs);
      const now = await readProgress(engines!);
      await mariadb.kill();
      rmSync(data, { recursive: true });
      await copy(old, data);
      await mariadb.restart();
      log(`MariaDB has lost about ${now.offsets - then.offsets} committed records`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});
