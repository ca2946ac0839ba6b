import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startOpenLoop } from "@chappe/bench/generator/open-loop.ts";
import { loadSettings } from "@chappe/bench/scenarios/bench-server.ts";
import { createConnectionPool } from "@chappe/bench/support/mesh-connection.ts";
import { checkHistory, type HistoryReport } from "../history/check-history.ts";
import { writeHistoryFile } from "../history/history-file.ts";
import { createSeededRandom, type SeededRandom } from "../history/seeded-random.ts";
import { HistoryRecorder } from "./history-recorder.ts";
import { type Kill, ServerKiller } from "./server-killer.ts";
import { SlimClient } from "./slim-client.ts";
import { addJoiner, createWorld, removeLeaver, type World } from "./world.ts";

/** How to run the case. */
export interface KillOptions {
  readonly seed: number;
  /** kill -9 so often. */
  readonly kills: number;
  readonly clients: number;
  readonly groups: number;
  /** Messages a second, offered whatever the server does. */
  readonly rate: number;
  /** For the server: arguments and environment. */
  readonly serverArgs: readonly string[];
  readonly serverEnv: Readonly<Record<string, string>>;
  /** Where to keep the history as NDJSON; undefined = nowhere. */
  readonly historyPath: string | undefined;
  readonly log: (text: string) => void;
}

/** The full size of the case. */
export const defaultKillOptions: Omit<KillOptions, "seed"> = {
  kills: 20,
  clients: 50,
  groups: 12,
  rate: 2_000,
  serverArgs: [],
  serverEnv: {},
  historyPath: undefined,
  log: () => {},
};

/** What came of it. */
export interface KillResult {
  readonly seed: number;
  readonly kills: readonly Kill[];
  /** Whether all sends were settled and all messages shown within the time given after the load. */
  readonly settled: boolean;
  readonly report: HistoryReport;
}

const membersPerGroup = 12;
/** A client with so many unsettled sends skips its turns. */
const maxOutbox = 5_000;
const connectTimeoutMs = 30_000;
const settleTimeoutMs = 120_000;
const calmMs = 1_000;
const pollMs = 50;
const readersAtOnce = 8;
const readAttempts = 5;
const maxUnrestLines = 20;

async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return true;
}

function startLoad(clients: readonly SlimClient[], world: World, random: SeededRandom, rate: number): () => void {
  return startOpenLoop(rate, (index) => {
    const client = random.pick(clients);
    const targets = world.sendTo.get(client.user)!;
    if (client.outbox.size < maxOutbox) client.send(random.pick(targets), `message ${index} of ${client.user}`);
  });
}

/** Kills while members of the groups come and go, one change per kill or so. */
async function killRepeatedly(killer: ServerKiller, world: World, port: number, options: KillOptions): Promise<Kill[]> {
  const kills: Kill[] = [];
  const changes = world.groups.flatMap((plan) => [
    () => addJoiner(port, world, plan),
    () => removeLeaver(port, world, plan),
  ]);
  const perKill = Math.ceil(changes.length / options.kills);
  for (let i = 0; i < options.kills; i++) {
    const membership = Promise.all(changes.slice(i * perKill, (i + 1) * perKill).map((change) => change()));
    membership.catch(() => {});
    kills.push(await killer.killOnce());
    await membership;
    const { inFlight, recoveryMs } = kills.at(-1)!;
    options.log(`kill ${i + 1}: ${inFlight} sends in flight, first ack after ${Math.round(recoveryMs)} ms`);
  }
  return kills;
}

/** Every send settled, every head compared and shown. */
async function settle(clients: readonly SlimClient[]): Promise<boolean> {
  const allQuiet = (): boolean => clients.every((client) => client.connected && client.quiet);
  const isQuiet = await waitUntil(allQuiet, settleTimeoutMs);
  await Promise.allSettled(clients.map((client) => client.compareHeads()));
  return (await waitUntil(allQuiet, settleTimeoutMs)) && isQuiet;
}

/** Every member reads all it may read. A read that keeps failing leaves a gap that the checker reports. */
async function readEverything(
  clients: readonly SlimClient[],
  world: World,
  log: (text: string) => void,
): Promise<void> {
  const owners = new Map(world.groups.map(({ conversation, owner }) => [conversation, owner.userId]));
  const reads = [...world.readers].flatMap(([conversation, users]) =>
    clients.filter(({ user }) => users.has(user)).map((client) => ({ client, conversation })),
  );
  const worker = async (): Promise<void> => {
    for (let read = reads.pop(); read !== undefined; read = reads.pop()) {
      const { client, conversation } = read;
      for (let attempt = 1; attempt <= readAttempts; attempt++) {
        try {
          await client.readAll(conversation, owners.get(conversation) === client.user);
          break;
        } catch (error) {
          log(`final read of ${conversation} by ${client.user}, attempt ${attempt}: ${String(error)}`);
          await new Promise((resolve) => setTimeout(resolve, calmMs));
        }
      }
    }
  };
  await Promise.all(Array.from({ length: readersAtOnce }, worker));
}

/** kill -9 of the one process that runs every role, under load, again and again; then the checker decides. */
export async function killAllInOne(options: KillOptions): Promise<KillResult> {
  const { seed, log } = options;
  const random = createSeededRandom(seed);
  const dataDir = mkdtempSync(join(tmpdir(), "chappe-faults-"));
  const pool = createConnectionPool();
  const recorder = new HistoryRecorder();
  const clients: SlimClient[] = [];
  const server = { dataDir, args: options.serverArgs, env: { ...loadSettings, ...options.serverEnv } };
  const inFlight = (): number => clients.reduce((sum, client) => sum + client.outbox.inFlight, 0);
  const killer = new ServerKiller({ server, random, inFlight });
  let stopLoad = (): void => {};
  try {
    const port = await killer.start();
    const { clients: users, groups } = options;
    const world = await createWorld({ port, random, recorder, users, groups, membersPerGroup });
    const on = { pool, port, recorder, random, onSending: () => killer.sending(), onAck: () => killer.acked() };
    for (const [index, account] of world.accounts.entries())
      clients.push(new SlimClient({ ...on, account, deviceId: BigInt(index + 1) }));
    for (const client of clients) {
      for (const conversation of world.sendTo.get(client.user)!) client.follow(conversation, 1);
      client.start();
    }
    if (!(await waitUntil(() => clients.every((client) => client.connected), connectTimeoutMs)))
      throw new Error("not all clients could connect");
    stopLoad = startLoad(clients, world, random, options.rate);
    const kills = await killRepeatedly(killer, world, port, options);
    await new Promise((resolve) => setTimeout(resolve, calmMs));
    stopLoad();
    const settled = await settle(clients);
    const unrest = clients.flatMap((client) => client.describeUnrest());
    log(settled ? "everything is settled; reading it all" : "not everything settled in time; reading what there is");
    for (const text of unrest.slice(0, maxUnrestLines)) log(text);
    await readEverything(clients, world, log);
    if (options.historyPath !== undefined) writeHistoryFile(options.historyPath, recorder.events);
    return { seed, kills, settled, report: checkHistory(recorder.events, { requireCaughtUp: true }) };
  } finally {
    stopLoad();
    await Promise.all(clients.map((client) => client.close()));
    pool.close();
    await killer.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
