import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type Act, harmOf } from "./act.ts";
import { stages } from "./cases.ts";
import { disturb } from "./disturb.ts";
import { expectNothingFound } from "./expect-nothing-found.ts";
import { commitUnknown, lostTail, zombie } from "./mysql-acts.ts";
import { flushRedis, killRedisMaster } from "./redis-acts.ts";
import { defaultKillOptions, smallShape } from "./run-under-load.ts";
import { openStage, type Stage } from "./stage.ts";
import { summarise } from "./summarise.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const clients = 24;
const tailMs = 5_000;
/** Small enough to pass beside other tests; `npm run faults` has the full size. */
const load = { clients, shape: smallShape(4, clients), rate: 150, transports: ["websocket", "tcp"] } as const;
let stage: Stage;

beforeAll(async () => {
  stage = await openStage(stages.persistence);
});
afterAll(() => stage?.close());

const cells: readonly Act[] = [
  harmOf("kill", "proxy-1"),
  harmOf("kill", "writer-1"),
  harmOf("kill", "reader-1"),
  harmOf("kill", "push-1"),
  harmOf("kill", "business"),
  harmOf("kill", "kafka"),
  harmOf("kill", "mariadb"),
  killRedisMaster,
  zombie("writer-2"),
  commitUnknown,
  lostTail(tailMs),
  flushRedis,
];

test.each(cells)("$what: nothing is lost, doubled or reordered", async (act) => {
  const lines: string[] = [];
  const options = { ...defaultKillOptions, ...load, seed: cells.indexOf(act), log: (text: string) => lines.push(text) };
  const summary = summarise(act.what, await disturb(stage, [act], options));
  console.log(lines.join("\n"));
  expectNothingFound(summary, 1);
  expect(summary.received).toBeGreaterThan(summary.acked);
});
