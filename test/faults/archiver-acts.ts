import { setTimeout as sleep } from "node:timers/promises";
import { standsStill } from "@chappe/mesh/dev-engines/stands-still.ts";
import { type Act, stallMs } from "./act.ts";
import type { ArchiverStop } from "./archiver-stops.ts";
import type { Stage } from "./stage.ts";

/** For an archiver to notice that HBase is away. */
const noticeMs = 3_000;
/** From one stop to the next, copies and pauses of all days included. */
const stopTimeoutMs = 80_000;

const texts = {
  "put 1": "before it has copied anything",
  "put 2": "in the middle of the copy",
  "copied 1": "before it writes down that the copy is complete",
  "verify 1": "before it verifies",
  "verify-page 2": "in the middle of verifying",
  "catalogue 1": "before it enters the catalogue",
  "drop 1": "before it drops",
  "dropped 1": "after it has dropped, before it says so",
} as const satisfies Readonly<Partial<Record<ArchiverStop, string>>>;

/** An archiver has come to its next stop. */
async function untilStopped({ mesh }: Stage): Promise<void> {
  const pid = mesh.pid("archiver");
  if (!(await standsStill(pid, stopTimeoutMs))) throw new Error("the archiver did not come to its next stop in time");
  // Throws when it has ended.
  process.kill(pid, 0);
}

/** Starts the archiver, which stops at the first of these. */
async function startStopping(stage: Stage, stops: readonly ArchiverStop[]): Promise<void> {
  stage.engines!.archive!.stops = stops;
  await stage.mesh.killAndRestart("archiver");
  await untilStopped(stage);
}

const goOn = ({ mesh }: Stage): boolean => process.kill(mesh.pid("archiver"), "SIGCONT");

/** HBase is killed, the archiver goes on and notices; it is at its next stop some time after HBase is back. */
async function goOnWithoutHbase(stage: Stage): Promise<void> {
  const { hbase } = stage.engines!.archive!;
  await hbase.kill();
  goOn(stage);
  await sleep(noticeMs);
  await hbase.restart();
  await untilStopped(stage);
}

/** kill -9 of the archiver at one step after the other; each starts where the one before was killed. */
export const killArchiverAtSteps: readonly Act[] = (Object.keys(texts) as (keyof typeof texts)[]).map((stop) => ({
  what: `kill the archiver ${texts[stop]}`,
  async perform(stage) {
    await startStopping(stage, [stop]);
    await stage.mesh.kill("archiver");
  },
}));

/** What is done to HBase while one archiver goes on through its days. */
export const harmHbase: readonly Act[] = [
  {
    what: "kill HBase in the middle of the copy",
    async perform(stage) {
      await startStopping(stage, ["put 2", "put 2", "drop 1", "dropped 2"]);
      await goOnWithoutHbase(stage);
    },
  },
  {
    what: "stall HBase in the middle of the copy",
    async perform(stage) {
      const { hbase } = stage.engines!.archive!;
      await hbase.kill("SIGSTOP");
      goOn(stage);
      await sleep(stallMs);
      await hbase.kill("SIGCONT");
      await untilStopped(stage);
    },
  },
  {
    what: "kill HBase just before a drop",
    perform: goOnWithoutHbase,
  },
  {
    what: "kill HBase and the archiver just after a drop",
    async perform(stage) {
      const { hbase } = stage.engines!.archive!;
      await hbase.kill();
      await stage.mesh.kill("archiver");
      await hbase.restart();
    },
  },
];
