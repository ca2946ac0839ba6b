import { startOpenLoop } from "@chappe/bench/generator/open-loop.ts";
import type { Account } from "@chappe/bench/support/accounts.ts";
import { createConnectionPool, type OpenFrames } from "@chappe/bench/support/mesh-connection.ts";
import { checkHistory, type HistoryReport } from "../history/check-history.ts";
import type { HistoryEvent } from "../history/history-event.ts";
import { writeHistoryFile } from "../history/history-file.ts";
import { createSeededRandom, type SeededRandom } from "../history/seeded-random.ts";
import type { TransportKind } from "./frames-over.ts";
import { HistoryRecorder } from "./history-recorder.ts";
import { measureBreaches } from "./measure-breaches.ts";
import type { Kill } from "./server-killer.ts";
import { SlimClient } from "./slim-client.ts";
import { createWorld, pickTarget, type World, type WorldShape } from "./world.ts";

const membersPerGroup = 12;

/** How to run a case. */
export interface KillOptions {
  readonly seed: number;
  /** kill -9 so often. */
  readonly kills: number;
  readonly clients: number;
  readonly shape: WorldShape;
  /** Clients take turns in them. @default all, where the servers have them */
  readonly transports?: readonly TransportKind[];
  /** Messages a second, offered whatever the server does. */
  readonly rate: number;
  /** For everything to be settled and shown after the load. @default two minutes */
  readonly settleTimeoutMs?: number;
  /** How often a final read is tried. @default 5 */
  readonly readAttempts?: number;
  /** For the server: arguments and environment. */
  readonly serverArgs: readonly string[];
  readonly serverEnv: Readonly<Record<string, string>>;
  /** Where to keep the history as NDJSON; undefined = nowhere. */
  readonly historyPath: string | undefined;
  readonly log: (text: string) => void;
}

/** Everybody in one conversation of two, and so many groups of 12, which get most of the sends. */
export const smallShape = (groups: number, users: number): WorldShape => ({
  direct: users >> 1,
  directShare: 1,
  groups: [{ count: groups, members: membersPerGroup, share: groups }],
});

const defaultClients = 50;

/** The full size of the case. */
export const defaultKillOptions: Omit<KillOptions, "seed"> = {
  kills: 20,
  clients: defaultClients,
  shape: smallShape(membersPerGroup, defaultClients),
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
  /** For each of them, how long after it the last message came later than a second after its send. */
  readonly breachesMs: readonly number[];
  /** Messages a second that clients sent while the load ran. */
  readonly sentPerSecond: number;
  /** Whether all sends were settled and all messages shown within the time given after the load. */
  readonly settled: boolean;
  readonly report: HistoryReport;
}

/** A client with so many unsettled sends skips its turns. */
const maxOutbox = 5_000;
const connectTimeoutMs = 30_000;
const settleTimeoutMs = 120_000;
const calmMs = 1_000;
const pollMs = 50;
const readersAtOnce = 8;
const defaultReadAttempts = 5;
const maxUnrestLines = 20;
const msPerSecond = 1_000;

/** Whether it came true in time. */
export async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return true;
}

/** Answers the stop, which tells how many messages a second were sent. */
function startLoad(
  clients: readonly SlimClient[],
  world: World,
  random: SeededRandom,
  { rate, shape }: KillOptions,
): () => number {
  const startMs = performance.now();
  let sent = 0;
  const stop = startOpenLoop(rate, (index) => {
    const client = random.pick(clients);
    if (client.outbox.size >= maxOutbox) return;
    sent++;
    client.send(pickTarget(world, shape, client.user, random), `message ${index} of ${client.user}`);
  });
  return () => {
    stop();
    return (sent * msPerSecond) / (performance.now() - startMs);
  };
}

/** Every send settled, every head compared and shown. */
async function settle(clients: readonly SlimClient[], timeoutMs: number): Promise<boolean> {
  const allQuiet = (): boolean => clients.every((client) => client.connected && client.quiet);
  const isQuiet = await waitUntil(allQuiet, timeoutMs);
  await Promise.allSettled(clients.map((client) => client.compareHeads()));
  return (await waitUntil(allQuiet, timeoutMs)) && isQuiet;
}

/** Every member reads all it may read. A read that keeps failing leaves a gap that the checker reports. */
async function readEverything(
  clients: readonly SlimClient[],
  world: World,
  { readAttempts = defaultReadAttempts, log }: KillOptions,
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

/** Without those of accounts that have no client: nobody can say what they saw. */
function observedEvents(events: readonly HistoryEvent[], { accounts }: World): readonly HistoryEvent[] {
  const observed = new Set(accounts.map(({ userId }) => userId));
  return events.filter(({ user }) => observed.has(user));
}

/** The servers under load, and what is done to them. */
export interface FaultTarget {
  /** Starts the servers; called once. */
  start(): Promise<void>;
  /** Where short calls go. */
  httpPort(): number;
  /** Where the next connection of a client goes. */
  clientPort(clientIndex: number): number;
  /** Needed for shapes with groups larger than there are clients. */
  readonly silent?: SilentAccounts;
  /** What carries the connections of a client. @default a WebSocket to clientPort */
  clientSocket?(clientIndex: number): ((token: string) => OpenFrames) | undefined;
  /** Does the harm while the load runs; answers what was done. */
  disturb(on: LoadView): Promise<Kill[]>;
  close(): Promise<void>;
}

/** Accounts without a client that worlds of a target share; made when a shape wants them. */
export interface SilentAccounts {
  atLeast(count: number, port: number): Promise<readonly Account[]>;
}

/** The load, as the one who does harm sees it. */
export interface LoadView {
  readonly world: World;
  readonly clients: readonly SlimClient[];
  /** Sends on the wire without an answer. */
  inFlight(): number;
  /** Acks, and attempts that got none, so far. */
  answers(): { readonly acked: number; readonly failed: number };
  /** Called whenever a send goes to the wire, and at each ack with the client's place. */
  readonly hooks: { onSending: () => void; onAck: (clientIndex: number) => void };
}

/** The world of a run, with as many silent accounts as its groups want. */
async function prepareWorld(
  { clients: users, shape }: KillOptions,
  target: FaultTarget,
  random: SeededRandom,
  recorder: HistoryRecorder,
): Promise<World> {
  const port = target.httpPort();
  const mostSilent = Math.max(0, ...shape.groups.map(({ members }) => members - users + 1));
  const silent = mostSilent === 0 ? [] : await target.silent!.atLeast(mostSilent, port);
  return createWorld({ port, random, recorder, users, shape, silent });
}

/** What can be seen of these clients, and hooks that they are to call. */
function viewOf(clients: readonly SlimClient[]): Omit<LoadView, "world"> {
  return {
    clients,
    inFlight: () => clients.reduce((sum, client) => sum + client.outbox.inFlight, 0),
    answers: () => ({
      acked: clients.reduce((sum, { outbox }) => sum + outbox.acked, 0),
      failed: clients.reduce((sum, { outbox }) => sum + outbox.failed, 0),
    }),
    hooks: { onSending: () => undefined, onAck: () => undefined },
  };
}

/** Loads the servers, lets the target do its harm, settles, reads everything; the checker decides. */
export async function runUnderLoad(options: KillOptions, target: FaultTarget): Promise<KillResult> {
  const { seed, log } = options;
  const random = createSeededRandom(seed);
  const pool = createConnectionPool();
  const recorder = new HistoryRecorder();
  const clients: SlimClient[] = [];
  const view = viewOf(clients);
  const { hooks } = view;
  let stopLoad = (): number => 0;
  try {
    await target.start();
    const world = await prepareWorld(options, target, random, recorder);
    for (const [index, account] of world.accounts.entries()) {
      const port = (): number => target.clientPort(index);
      const on = { onSending: () => hooks.onSending(), onAck: () => hooks.onAck(index) };
      const openSocket = target.clientSocket?.(index);
      const how = { pool, port, recorder, random, ...on, account, deviceId: BigInt(index + 1) };
      clients.push(new SlimClient(openSocket === undefined ? how : { ...how, openSocket }));
    }
    for (const client of clients) {
      for (const conversation of world.sendTo.get(client.user)!.flat()) client.follow(conversation, 1);
      client.start();
    }
    if (!(await waitUntil(() => clients.every((client) => client.connected), connectTimeoutMs)))
      throw new Error("not all clients could connect");
    stopLoad = startLoad(clients, world, random, options);
    const kills = await target.disturb({ ...view, world });
    await new Promise((resolve) => setTimeout(resolve, calmMs));
    const sentPerSecond = stopLoad();
    const settled = await settle(clients, options.settleTimeoutMs ?? settleTimeoutMs);
    const unrest = clients.flatMap((client) => client.describeUnrest());
    log(settled ? "everything is settled; reading it all" : "not everything settled in time; reading what there is");
    for (const text of unrest.slice(0, maxUnrestLines)) log(text);
    await readEverything(clients, world, options);
    const events = observedEvents(recorder.events, world);
    if (options.historyPath !== undefined) writeHistoryFile(options.historyPath, events);
    const breachesMs = measureBreaches(events, kills);
    const report = checkHistory(events, { requireCaughtUp: true });
    return { seed, kills, breachesMs, sentPerSecond, settled, report };
  } finally {
    stopLoad();
    await Promise.all(clients.map((client) => client.close()));
    pool.close();
    await target.close();
  }
}
