import type { Account } from "../support/accounts.ts";

interface BaseLoad {
  readonly port: number;
  /** The server process, for its CPU time and memory. */
  readonly serverPid: number;
}

/** How long to run. */
export interface LoadTimes {
  readonly warmupMs: number;
  readonly measureMs: number;
  /** Further processes whose CPU time is read, by name. */
  readonly watchedPids?: Readonly<Record<string, number>>;
}

/** One-to-one chats: accounts in pairs, the first of a pair sends. */
export interface ChatLoad extends BaseLoad, LoadTimes {
  readonly scenario: "chat";
  readonly accounts: readonly Account[];
  /** Messages of a pair in flight. */
  readonly window: number;
  /** Messages a second in all, sent when they are due and measured from then on; 0 = as fast as the windows allow. */
  readonly rate: number;
  readonly textBytes: number;
}

/** One group: the first account sends, all others receive. */
export interface GroupLoad extends BaseLoad, LoadTimes {
  readonly scenario: "group";
  readonly accounts: readonly Account[];
  /** Hex. */
  readonly conversationId: string;
  /** Head of the group before the load. */
  readonly headSeq: number;
  readonly window: number;
  /** As in ChatLoad. */
  readonly rate: number;
  readonly textBytes: number;
}

/** Connections that do nothing but heartbeats. */
export interface IdleLoad extends BaseLoad {
  readonly scenario: "idle";
  readonly accounts: readonly Account[];
  /** Connections at the first reading of memory; the second is with all. */
  readonly firstConnections: number;
}

/** Many connections that only keep alive for a while, and then come back all at once. */
export interface HoldLoad extends BaseLoad {
  readonly scenario: "hold";
  /** Each connection is a device of its own; users share them out. */
  readonly accounts: readonly Account[];
  readonly connections: number;
  readonly holdMs: number;
}

/** What a generator process is told to do. */
export type LoadConfig = ChatLoad | GroupLoad | IdleLoad | HoldLoad;

/** What chat and group measured. */
export interface TrafficResult {
  readonly connections: number;
  readonly measuredSeconds: number;
  readonly serverCpuSeconds: number;
  /** Of watchedPids, in the measured interval. */
  readonly watchedCpuSeconds: Readonly<Record<string, number>>;
  /** Near one core the generator, a single thread, is the limit. */
  readonly generatorCpuSeconds: number;
  /** Sends that were acked and delivered to every receiver, of the measured interval. */
  readonly messages: number;
  /** Messages shown to receivers. */
  readonly deliveries: number;
  /** Send to delivery; in open loop from the time the send was due. */
  readonly p50Ms: number;
  readonly p75Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Send to ack, same rule. */
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  /** Pushes of a message that a receiver had already. */
  readonly repeats: number;
}

/** What idle measured. */
export interface IdleResult {
  readonly connections: number;
  readonly firstConnections: number;
  readonly firstRssKib: number;
  readonly rssKib: number;
  readonly connectsPerSecond: number;
}

/** What hold measured. */
export interface HoldResult {
  readonly connections: number;
  readonly connectsPerSecond: number;
  readonly generatorCpuSeconds: number;
  /** Connections that had to be tried again. */
  readonly retries: number;
  /** From the loss of all connections to the welcome of each, in milliseconds. */
  readonly stormP50Ms: number;
  readonly stormP99Ms: number;
}

/** Answer of a generator process. */
export type LoadAnswer =
  | { readonly traffic: TrafficResult }
  | { readonly idle: IdleResult }
  | { readonly hold: HoldResult }
  | { readonly error: string };
