/** What the command line of a bench says. */
export interface BenchOptions {
  /** Messages in flight; 0 = the scenario's default. */
  readonly window: number;
  /** Messages a second, open loop; 0 = closed loop. */
  readonly rate: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Pairs of chat, members of group, connections of idle; 0 = the scenario's default. */
  readonly size: number;
  readonly textBytes: number;
  /** Of the history scenario; undefined = its default. */
  readonly messages?: number;
  readonly conversations?: number;
  /** Further arguments for the server. */
  readonly serverArgs: readonly string[];
}

/** What the distributed form does under one load. */
export interface DistributedFigures {
  readonly msgsPerSecond: number;
  /** Of all our processes together, and of each. */
  readonly coreMsPerMessage: number;
  readonly coreMsByProcess: Readonly<Record<string, number>>;
  readonly engineCoreMsPerMessage: number;
  readonly engineCoreMsByEngine: Readonly<Record<string, number>>;
  readonly generatorCpuCores: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly p50Ms: number;
  readonly p75Ms: number;
  readonly p99Ms: number;
}

/** How fast one writer commits what waits on the log. */
export interface BacklogFigures {
  readonly messages: number;
  readonly msgsPerSecond: number;
  readonly mariadbCoreMsPerMessage: number;
}

/** Latency of a page. */
export interface PageFigures {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What reading over the tiers takes. */
export interface HistoryFigures {
  readonly messages: number;
  readonly conversations: number;
  readonly feedSeconds: number;
  readonly hbase: PageFigures;
  readonly mariadb: PageFigures;
  readonly redis: PageFigures;
  /** The only message of some conversation. */
  readonly anyConversation: PageFigures;
  readonly roamSeconds: number;
  readonly roamMsgsPerSecond: number;
  /** Messages that each tier answered with. */
  readonly read: Readonly<Record<"redis" | "mariadb" | "hbase", number>>;
}

/** Figures of one run; those that do not apply are absent. */
export interface BenchFigures {
  readonly scenario: string;
  readonly window?: number;
  readonly rate?: number;
  readonly connections?: number;
  readonly msgsPerSecond?: number;
  readonly msgsPerServerCpuSecond?: number;
  readonly deliveriesPerSecond?: number;
  readonly deliveriesPerServerCpuSecond?: number;
  readonly serverCpuCores?: number;
  readonly generatorCpuCores?: number;
  readonly kibPerConnection?: number;
  readonly connectsPerSecond?: number;
  readonly p50Ms?: number;
  readonly p75Ms?: number;
  readonly p99Ms?: number;
  readonly maxMs?: number;
  readonly ackP50Ms?: number;
  readonly ackP99Ms?: number;
  readonly loginProcesses?: number;
  readonly heldSeconds?: number;
  readonly retries?: number;
  readonly stormP50Ms?: number;
  readonly stormP99Ms?: number;
  readonly repeats?: number;
  readonly window1?: BenchFigures;
  readonly openLoop?: DistributedFigures;
  readonly saturation?: DistributedFigures;
  readonly backlog?: BacklogFigures;
  readonly history?: HistoryFigures;
}

/** Time that a load may take besides warm-up and measurement: connecting and draining. */
export const loadOverheadMs = 90_000;

/** `value` with three significant digits after the point at most, for people and files alike. */
export const rounded = (value: number): number => Number(value.toFixed(value < 100 ? 2 : 0));
