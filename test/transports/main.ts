/**
 * `npm run transports [-- --only tcp]`: memory of one Login process by connection and transport, as the slope of its
 * resident memory over the number of welcomed connections, and connects a second with authentication.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Account, registerAccounts } from "@chappe/bench/support/accounts.ts";
import { createConnectionPool, MeshConnection } from "@chappe/bench/support/mesh-connection.ts";
import { MeshProcesses } from "@chappe/bench/support/mesh-processes.ts";
import { cpuSecondsOf, rssKibOf } from "@chappe/bench/support/process-usage.ts";
import { framesOver, type TransportKind, transportKinds } from "../faults/frames-over.ts";

const smallSteps = [2_000, 5_000, 10_000];
/** The descriptors of a process let it hold so many sockets, with room for its own. */
const mostSockets = 18_500;
const accountsInAll = 500;
const concurrency = 32;
/** From the last welcome to the reading: batches and lists of free memory settle. */
const settleMs = 3_000;

interface Reading {
  readonly connections: number;
  readonly kib: number;
}

/** Least squares: KiB for one connection more. */
function slopeOf(readings: readonly Reading[]): number {
  const mean = (pick: (reading: Reading) => number): number =>
    readings.reduce((sum, reading) => sum + pick(reading), 0) / readings.length;
  const [x, y] = [mean(({ connections }) => connections), mean(({ kib }) => kib)];
  const over = readings.reduce((sum, reading) => sum + (reading.connections - x) * (reading.kib - y), 0);
  return over / readings.reduce((sum, { connections }) => sum + (connections - x) ** 2, 0);
}

/** Opens connections until there are so many; a lost one fails the run. */
async function openUpTo(count: number, open: MeshConnection[], start: (index: number) => MeshConnection) {
  let next = open.length;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const connection = start(next++);
      open.push(connection);
      await connection.open();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function measure(mesh: MeshProcesses, kind: TransportKind, accounts: readonly Account[]) {
  const pool = createConnectionPool();
  const open: MeshConnection[] = [];
  const login = mesh.pid("login-1");
  let closing = false;
  const openFrames = framesOver(kind, () => mesh.ready("login-1"));
  const start = (index: number): MeshConnection => {
    const { token } = accounts[index % accounts.length]!;
    const onClose = (code: number, reason: string): void => {
      if (!closing) throw new Error(`${kind}: the server closed a connection (${code} ${reason})`);
    };
    const options = { pool, port: mesh.port("login-1"), token, onPacket: () => undefined, onClose };
    return new MeshConnection(openFrames === undefined ? options : { ...options, openSocket: openFrames(token) });
  };
  const steps = kind === "websocket" || kind === "tcp" ? [...smallSteps, mostSockets] : smallSteps;
  const readings: Reading[] = [];
  const startMs = performance.now();
  let [connectMs, connectCpuSeconds] = [0, 0];
  for (const connections of steps) {
    const [beginMs, beginCpu] = [performance.now(), cpuSecondsOf(login)];
    await openUpTo(connections, open, start);
    connectMs += performance.now() - beginMs;
    connectCpuSeconds += cpuSecondsOf(login) - beginCpu;
    await wait(settleMs);
    readings.push({ connections, kib: rssKibOf(login) });
  }
  closing = true;
  for (const connection of open) connection.destroy();
  pool.close();
  return {
    transport: kind,
    kibPerConnection: Number(slopeOf(readings).toFixed(1)),
    connectsPerSecond: Math.round((open.length * 1_000) / connectMs),
    connectsPerLoginCpuSecond: Math.round(open.length / connectCpuSeconds),
    seconds: Math.round((performance.now() - startMs) / 1_000),
    readings,
  };
}

const { values } = parseArgs({ options: { only: { type: "string" } } });
const kinds = transportKinds.filter((kind) => values.only === undefined || values.only.split(",").includes(kind));
for (const kind of kinds) {
  const mesh = new MeshProcesses();
  try {
    await mesh.start({ "route-1": "route", core: "core", "online-1": "online", "login-1": "login" }, 1);
    const accounts = await registerAccounts({ port: mesh.port("login-1"), count: accountsInAll });
    console.log(JSON.stringify(await measure(mesh, kind, accounts)));
  } finally {
    await mesh.close();
  }
}
process.exit(0);
