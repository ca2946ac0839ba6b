import { startOpenLoop } from "@chappe/bench/generator/open-loop.ts";
import { createConnectionPool, type OpenFrames } from "@chappe/bench/support/mesh-connection.ts";
import { checkHistory, type HistoryReport } from "../history/check-history.ts";
import { writeHistoryFile } from "../history/history-file.ts";
import { createSeededRandom, type SeededRandom } from "../history/seeded-random.ts";
import { HistoryRecorder } from "./history-recorder.ts";
import type { Kill } from "./server-killer.ts";
import { SlimClient } from "./slim-client.ts";
import { createWorld, type World } from "./world.ts";

/** How to run a case. */
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

/** Whether it came true in time. */
export async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
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

/** The servers under load, and what is done to them. */
export interface FaultTarget {
  /** Starts the servers; called once. */
  start(): Promise<void>;
  /** Where short calls go. */
  httpPort(): number;
  /** Where the next connection of a client goes. */
  clientPort(clientIndex: number): number;
  /** What carries the connections of a client. @default a WebSocket to clientPort */
  clientSocket?(clientIndex: number): ((token: string) => OpenFrames) | undefined;
  /** Does the harm while the load runs; answers what was done. */
  disturb(on: LoadView): Promise<Kill[]>;
  close(): Promise<void>;
}

/** The load, as the one who does harm sees it. */
export interface LoadView {
  readonly world: World;
  readonly clients: readonly SlimClient[];
  /** Sends on the wire without an answer. */
  inFlight(): number;
  /** Called whenever a send goes to the wire, and at each ack with the client's place. */
  readonly hooks: { onSending: () => void; onAck: (clientIndex: number) => void };
}

/** Loads the servers, lets the target do its harm, settles, reads everything; the checker decides. */
export async function runUnderLoad(options: KillOptions, target: FaultTarget): Promise<KillResult> {
  const { seed, log } = options;
  const random = createSeededRandom(seed);
  const pool = createConnectionPool();
  const recorder = new HistoryRecorder();
  const clients: SlimClient[] = [];
  const inFlight = (): number => clients.reduce((sum, client) => sum + client.outbox.inFlight, 0);
  const hooks: LoadView["hooks"] = { onSending: () => undefined, onAck: () => undefined };
  let stopLoad = (): void => {};
  try {
    await target.start();
    const { clients: users, groups } = options;
    const world = await createWorld({ port: target.httpPort(), random, recorder, users, groups, membersPerGroup });
    for (const [index, account] of world.accounts.entries()) {
      const port = (): number => target.clientPort(index);
      const on = { onSending: () => hooks.onSending(), onAck: () => hooks.onAck(index) };
      const openSocket = target.clientSocket?.(index);
      const how = { pool, port, recorder, random, ...on, account, deviceId: BigInt(index + 1) };
      clients.push(new SlimClient(openSocket === undefined ? how : { ...how, openSocket }));
    }
    for (const client of clients) {
      for (const conversation of world.sendTo.get(client.user)!) client.follow(conversation, 1);
      client.start();
    }
    if (!(await waitUntil(() => clients.every((client) => client.connected), connectTimeoutMs)))
      throw new Error("not all clients could connect");
    stopLoad = startLoad(clients, world, random, options.rate);
    const kills = await target.disturb({ world, clients, inFlight, hooks });
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
    await target.close();
  }
}
