import { setTimeout as sleep } from "node:timers/promises";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import type { Act } from "./act.ts";
import type { StageEngines } from "./stage-engines.ts";

const pollMs = 50;
const timeoutMs = 30_000;

interface Owned {
  readonly epoch: number;
  readonly nextOffset: number;
}

/** When a partition was claimed anew, and when its new owner had committed for the first time. */
interface Takeover {
  claimedMs?: number;
  claimedAt?: number;
  committedMs?: number;
}

const seconds = (ms: readonly number[]): string =>
  `${(Math.min(...ms) / 1_000).toFixed(1)} to ${(Math.max(...ms) / 1_000).toFixed(1)} s`;

/** Watches who owns the partitions until all that were claimed anew are committed to again; says how long what took. */
async function watchTakeover({ mariadb }: StageEngines, isOver: () => boolean): Promise<string> {
  const connection = await createConnection({ ...mariadb.login });
  const read = async (): Promise<Map<number, Owned>> => {
    const [rows] = await connection.query<RowDataPacket[]>("SELECT * FROM partition_progress");
    return new Map(
      rows.map((row) => [Number(row.partition_id), { epoch: Number(row.epoch), nextOffset: Number(row.next_offset) }]),
    );
  };
  try {
    const [before, startMs] = [await read(), performance.now()];
    const seen = new Map<number, Takeover>();
    const isDone = (): boolean =>
      seen.size > 0 && isOver() && [...seen.values()].every(({ committedMs }) => committedMs !== undefined);
    for (let passedMs = 0; !isDone() && passedMs < timeoutMs; passedMs = performance.now() - startMs) {
      for (const [partition, { epoch, nextOffset }] of await read()) {
        if (epoch === before.get(partition)?.epoch) continue;
        const one = seen.get(partition) ?? {};
        seen.set(partition, one);
        one.claimedMs ??= passedMs;
        one.claimedAt ??= nextOffset;
        if (nextOffset > one.claimedAt) one.committedMs ??= passedMs;
      }
      await sleep(pollMs);
    }
    const times = [...seen.values()];
    if (times.length === 0) return "no partition was claimed anew";
    const claimed = seconds(times.map(({ claimedMs }) => claimedMs!));
    const replay = seconds(times.map(({ claimedMs, committedMs }) => (committedMs ?? Number.NaN) - claimedMs!));
    return `${times.length} partitions claimed anew after ${claimed}, committed to again within ${replay} of that`;
  } finally {
    connection.destroy();
  }
}

/** The act, and how long the takeover of partitions took: finding it out and sharing them anew; then replay. */
export const withTakeover = (act: Act): Act => ({
  what: act.what,
  async perform(stage, on, notes) {
    let isOver = false;
    const watching = watchTakeover(stage.engines!, () => isOver);
    watching.catch(() => undefined);
    try {
      await act.perform(stage, on, notes);
    } finally {
      isOver = true;
    }
    notes.log(`${act.what}: ${await watching}`);
  },
});
