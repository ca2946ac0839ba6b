import { type Act, type Harm, harmOf } from "./act.ts";
import { harmHbase, killArchiverAtSteps } from "./archiver-acts.ts";
import { fillKafkaDisk, killLeader, killTwoOfThree, killWhileKafkaIsDead, killWhileKafkaSleeps } from "./kafka-acts.ts";
import { commitUnknown, lostTail, zombie } from "./mysql-acts.ts";
import { archiveMembers, persistenceMembers } from "./persistence.ts";
import { failOverRedis, flushRedis, killRedisMaster, promoteStaleReplica, stallRedisMaster } from "./redis-acts.ts";
import { defaultKillOptions, type KillOptions } from "./run-under-load.ts";
import { everyAct, foldedMembers, signallingMembers } from "./signalling.ts";
import type { StageOptions } from "./stage.ts";
import { startOnSmallDisk, startStageEngines, startWithHistory } from "./stage-engines.ts";
import { withTakeover } from "./takeover.ts";

/** Processes and engines that a case needs; cases of one stage may run one after the other on the same. */
export const stages = {
  signalling: { members: signallingMembers },
  "signalling-folded": { members: foldedMembers },
  persistence: { members: persistenceMembers, startEngines: startStageEngines },
  archive: { members: archiveMembers, startEngines: startWithHistory },
  "small-disk": { members: persistenceMembers, startEngines: startOnSmallDisk },
  "three-brokers": {
    members: persistenceMembers,
    startEngines: () => startStageEngines({ brokers: 3, timeoutMs: 150_000 }),
  },
} as const satisfies Readonly<Record<string, StageOptions>>;

/** One of them. */
export type StageName = keyof typeof stages;

/** What a case is, besides its stage. */
export interface FaultCase {
  readonly about: string;
  readonly stage: StageName;
  readonly acts: readonly Act[];
  /** How often the acts are done, unless the command line says it. */
  readonly times: number;
  /** Old messages are stored before, and looked for in all tiers afterwards. */
  readonly hasBacklog?: boolean;
  readonly load: Pick<KillOptions, "clients" | "shape" | "rate" | "transports">;
}

/** 200 conversations: most sends go to two people, some to groups of 12, few to groups of 200. */
export const cellLoad = {
  clients: 40,
  rate: 510,
  // The others are for the signalling cases; these cost least where load and servers share a machine.
  transports: ["websocket", "tcp"],
  shape: {
    direct: 120,
    directShare: 0.9,
    groups: [
      { count: 70, members: 12, share: 0.08 },
      { count: 10, members: 200, share: 0.02 },
    ],
  },
} as const satisfies FaultCase["load"];

const fullTailMs = 60_000;

const cell = (about: string, acts: readonly Act[], stage: StageName = "persistence", times = 2): FaultCase => ({
  about,
  stage,
  acts,
  times,
  load: cellLoad,
});

const harmTexts: Readonly<Record<Harm, string>> = { kill: "kill -9", stall: "SIGSTOP of 10 s", drain: "SIGTERM" };

const harmed = (names: Readonly<Record<string, string>>, harms: readonly Harm[]): [string, FaultCase][] =>
  Object.entries(names).flatMap(([what, name]) =>
    harms.map((harm): [string, FaultCase] => [
      `${harm}-${what}`,
      cell(`${harmTexts[harm]} of ${name}`, [
        name.startsWith("writer") ? withTakeover(harmOf(harm, name)) : harmOf(harm, name),
      ]),
    ]),
  );

const modules = { proxy: "proxy-1", writer: "writer-1", reader: "reader-1", push: "push-1" };
const { clients, shape, rate } = defaultKillOptions;
const signallingLoad = { clients, shape, rate };

/** Cases by name. */
export const cases: Readonly<Record<string, FaultCase>> = {
  signalling: {
    about: "kill -9, SIGSTOP 10 s and SIGTERM of every process of login x2, route x2, online x2 and core",
    stage: "signalling",
    acts: everyAct(signallingMembers),
    times: 1,
    load: signallingLoad,
  },
  "signalling-folded": {
    about: "the same with Online in Login's processes",
    stage: "signalling-folded",
    acts: everyAct(foldedMembers),
    times: 1,
    load: signallingLoad,
  },
  ...Object.fromEntries([
    ...harmed(modules, ["kill", "stall", "drain"]),
    ...harmed({ business: "business" }, ["kill"]),
    ...harmed({ kafka: "kafka", mariadb: "mariadb" }, ["kill", "stall"]),
    ...harmed({ kafka: "kafka" }, ["drain"]),
  ]),
  "kill-proxy-waiting": cell("kill -9 of a proxy whose sends wait for a dead Kafka", [killWhileKafkaIsDead("proxy-1")]),
  "kill-login-waiting": cell("kill -9 of a Login whose sends wait for Kafka", [killWhileKafkaSleeps("login-1")]),
  zombie: cell("SIGSTOP of a writer until another has its partitions; then it wakes", [zombie("writer-1")]),
  "commit-unknown": cell("connections of writers cut at COMMIT", [commitUnknown]),
  "lost-tail": cell("MariaDB put back to a copy from a minute before", [lostTail(fullTailMs)], "persistence", 1),
  "flush-redis": cell("FLUSHALL of Redis", [flushRedis]),
  "kill-redis": cell("kill -9 of a Redis master, back at once and empty; another that its replica replaces", [
    killRedisMaster,
    failOverRedis,
  ]),
  "stall-redis": cell("SIGSTOP of a Redis master, which wakes replaced", [stallRedisMaster]),
  "stale-replica": cell("a Redis replica takes over without the last two seconds", [promoteStaleReplica]),
  "kill-archiver": {
    ...cell("kill -9 of the archiver at each of its steps", killArchiverAtSteps, "archive", 1),
    hasBacklog: true,
  },
  "harm-hbase": {
    ...cell("HBase killed and stalled in a copy, killed just before and just after a drop", harmHbase, "archive", 1),
    hasBacklog: true,
  },
  "disk-full": cell("no room on Kafka's disk", [fillKafkaDisk], "small-disk"),
  "three-brokers": cell(
    "of three Kafka brokers the leader, then two killed",
    [killLeader, killTwoOfThree],
    "three-brokers",
    1,
  ),
};
