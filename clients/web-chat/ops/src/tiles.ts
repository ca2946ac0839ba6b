import type { OpsStats } from "./ops-data.ts";

/** One figure. */
export interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  /** What it is of; undefined = it has no bound. */
  readonly share?: number;
  readonly isBad?: boolean;
}

const transports: Readonly<Record<string, string>> = {
  webSocket: "WebSocket",
  tcp: "TCP",
  udp: "UDP",
  grpc: "gRPC",
  connect: "Connect",
};

const percent = (part: number, all: number): string => (all === 0 ? "–" : `${((part / all) * 100).toFixed(1)}%`);
const count = (value: number): string => value.toLocaleString("en");
const ms = (seconds: number): string => `${(seconds * 1_000).toFixed(1)} ms`;

function rate(now: number, before: number, tookMs: number): string {
  if (tookMs <= 0) return "–";
  return Math.max(0, ((now - before) / tookMs) * 1_000).toFixed(1);
}

function loginTiles({ figures: { login, limits } }: OpsStats): Tile[] {
  if (login === undefined) return [];
  const kinds = Object.entries(login.connectionsBy).filter(([, connections]) => connections > 0);
  const note = kinds.map(([kind, connections]) => `${transports[kind] ?? kind} ${count(connections)}`).join(", ");
  const bound = limits.maxConnections ?? 0;
  return [
    { name: "connections", value: count(login.connections), note: note || "none", share: login.connections / bound },
  ];
}

/** Messages a second, from two readings. */
function rateTiles({ figures: now, timeMs }: OpsStats, before: OpsStats | undefined): Tile[] {
  const past = before?.figures;
  const tookMs = timeMs - (before?.timeMs ?? timeMs);
  const tiles: Tile[] = [];
  const add = (name: string, value: number | undefined, old = 0): void => {
    if (value !== undefined)
      tiles.push({ name, value: rate(value, old, tookMs), note: `${count(value)} since the start` });
  };
  add("messages/s in", now.writer?.committedMessages, past?.writer?.committedMessages);
  add("delivered/s", now.delivery?.count, past?.delivery?.count);
  return tiles;
}

function promiseTiles({ figures: { delivery } }: OpsStats): Tile[] {
  if (delivery === undefined) return [];
  const { within120Ms, within1S, count: all } = delivery;
  const isLate = all > 0 && within120Ms / all < 0.75;
  const note = "sender's clock to device ack";
  return [
    { name: "within 120 ms", value: percent(within120Ms, all), note, isBad: isLate },
    { name: "within 1 s", value: percent(within1S, all), note, isBad: within1S < all },
  ];
}

function queueTiles({ figures: { waiting, writer, push, limits } }: OpsStats): Tile[] {
  const tiles: Tile[] = [];
  if (waiting !== undefined) {
    const bound = limits.maxLaneMessages ?? 0;
    const note = `of ${count(bound)} a partition`;
    tiles.push({ name: "waiting for the log", value: count(waiting), note, share: waiting / bound });
  }
  if (writer !== undefined) {
    const { lag, stopped, duplicates } = writer;
    const state = stopped.length > 0 ? "stopped" : lag > 0 ? "behind" : "up to date";
    const note =
      stopped.length > 0 ? `${stopped.length} partitions by damaged records` : `${count(duplicates)} duplicates`;
    tiles.push({ name: "commits", value: state, note, isBad: stopped.length > 0 });
    tiles.push({ name: "message log lag", value: count(lag), note: "records not committed" });
  }
  if (push !== undefined) {
    const note = `${count(push.dropped)} events dropped`;
    tiles.push({ name: "push log lag", value: count(push.lag), note, isBad: push.dropped > 0 });
  }
  return tiles;
}

function processTiles({ figures: { process } }: OpsStats): Tile[] {
  const { delayP50, delayP99, utilization, residentBytes } = process;
  return [
    { name: "event loop delay", value: ms(delayP99), note: `p99; p50 ${ms(delayP50)}` },
    { name: "event loop busy", value: percent(utilization, 1), note: "since the last reading", share: utilization },
    { name: "memory", value: `${Math.round(residentBytes / 1_048_576)} MiB`, note: "resident" },
  ];
}

/** The figures that a process has; rates come from the reading before. */
export function tilesOf(now: OpsStats, before: OpsStats | undefined): Tile[] {
  return [
    ...loginTiles(now),
    ...rateTiles(now, before),
    ...promiseTiles(now),
    ...queueTiles(now),
    ...processTiles(now),
  ];
}
