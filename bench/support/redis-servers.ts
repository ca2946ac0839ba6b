import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

const masters = 3;
const slots = 16_384;
const busOffset = 10_000;
const startTimeoutMs = 20_000;
const pollMs = 50;
const nodeTimeoutMs = 1_000;
const keptLogBytes = 8 * 1024;

/** One redis-server of ours. */
export interface RedisNode {
  readonly port: number;
  readonly pid: number;
  /** What it said last. */
  log(): string;
  stop(signal: NodeJS.Signals): Promise<void>;
}

/** Real Redis servers that end with the test. */
export interface RedisServers {
  /** "127.0.0.1:port" each. */
  readonly addresses: readonly string[];
  readonly nodes: readonly RedisNode[];
  close(): Promise<void>;
}

/** A port whose cluster bus port is free as well. */
async function freePort(): Promise<number> {
  const isFree = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    if ((await isFree(port)) && (await isFree(port + busOffset))) return port;
  }
}

async function startNode(directory: string, cluster: boolean): Promise<RedisNode> {
  const port = await freePort();
  const dir = join(directory, String(port));
  mkdirSync(dir);
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir];
  const more = cluster ? ["--cluster-enabled", "yes", "--cluster-node-timeout", String(nodeTimeoutMs)] : [];
  const child: ChildProcess = spawn("redis-server", [...settings, ...more], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (text: Buffer) => {
      log = (log + text.toString()).slice(-keptLogBytes);
    });
  const killAtExit = (): boolean => child.kill("SIGKILL");
  process.once("exit", killAtExit);
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      log += String(error);
      resolve();
    });
  });
  void exited.then(() => process.removeListener("exit", killAtExit));
  return {
    port,
    pid: child.pid ?? 0,
    log: () => log,
    async stop(signal) {
      child.kill(signal);
      if (signal === "SIGKILL" || signal === "SIGTERM") await exited;
    },
  };
}

async function until(what: string, nodes: readonly RedisNode[], condition: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + startTimeoutMs;
  for (;;) {
    if (await condition().catch(() => false)) return;
    if (performance.now() > deadlineMs)
      throw new Error(`${what} took too long\n${nodes.map((node) => node.log()).join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

const clientOf = ({ port }: RedisNode): Redis => {
  const client = new Redis({ host: "127.0.0.1", port, retryStrategy: () => pollMs });
  client.on("error", () => undefined);
  return client;
};

async function joinCluster(nodes: readonly RedisNode[], clients: readonly Redis[]): Promise<void> {
  const each = slots / masters;
  for (let i = 0; i < masters; i++) {
    const [first, last] = [Math.ceil(i * each), Math.ceil((i + 1) * each) - 1];
    await clients[i]!.call("CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
  }
  for (const { port } of nodes.slice(1)) await clients[0]!.call("CLUSTER", "MEET", "127.0.0.1", String(port));
  const ids = await Promise.all(clients.map((client) => client.call("CLUSTER", "MYID") as Promise<string>));
  for (let i = masters; i < nodes.length; i++) {
    const master = ids[i % masters]!;
    await until("meeting", nodes, async () => (await clients[i]!.call("CLUSTER", "REPLICATE", master)) === "OK");
  }
  for (const client of clients) {
    await until("the cluster", nodes, async () => {
      const [info, slotRows] = await Promise.all([client.call("CLUSTER", "INFO"), client.call("CLUSTER", "SLOTS")]);
      const hasReplicas = (slotRows as unknown[][]).every((row) => row.length > 3) || nodes.length === masters;
      return String(info).includes("cluster_state:ok") && (slotRows as unknown[]).length === masters && hasReplicas;
    });
  }
}

/** Starts one redis-server, or a cluster of three masters with `nodes - 3` replicas; on loopback, nothing kept on disk. */
export async function startRedis({ nodes: count }: { readonly nodes: number }): Promise<RedisServers> {
  const directory = mkdtempSync(join(tmpdir(), "chappe-redis-"));
  const nodes: RedisNode[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    for (let i = 0; i < count; i++) nodes.push(await startNode(directory, count > 1));
    const clients = nodes.map(clientOf);
    try {
      for (const client of clients) await until("the start", nodes, async () => (await client.ping()) === "PONG");
      if (count > 1) await joinCluster(nodes, clients);
    } finally {
      for (const client of clients) client.disconnect();
    }
    return { addresses: nodes.map(({ port }) => `127.0.0.1:${port}`), nodes, close };
  } catch (error) {
    await close();
    throw error;
  }
}
