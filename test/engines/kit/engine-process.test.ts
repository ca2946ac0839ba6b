import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createDevEngines } from "@chappe/mesh/dev-engines/dev-engines.ts";
import { devPorts } from "@chappe/mesh/dev-engines/engine-defaults.ts";
import { startEngineProcess } from "@chappe/mesh/dev-engines/engine-process.ts";
import { freePort } from "@chappe/mesh/dev-engines/free-port.ts";
import { jarProblems } from "@chappe/mesh/dev-engines/jar-sums.ts";
import { processIdentity } from "@chappe/mesh/dev-engines/process-identity.ts";
import { startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { withLock } from "@chappe/mesh/dev-engines/with-lock.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const child = fileURLToPath(new URL("./engine-child.ts", import.meta.url));
const isAlive = (pid: number): boolean => processIdentity(pid) !== undefined;

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "chappe-kit-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it("an engine and its data are gone soon after its test process was killed", async () => {
  const test = spawn(process.execPath, [child], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise<string>((resolve) => createInterface({ input: test.stdout }).once("line", resolve));
  const { pid, logFile } = JSON.parse(line) as { pid: number; logFile: string };
  expect([isAlive(pid), existsSync(logFile)]).toEqual([true, true]);
  test.kill("SIGKILL");
  await vi.waitFor(() => expect([isAlive(pid), existsSync(dirname(logFile))]).toEqual([false, false]), 10_000);
});

it("a process that is stopped stands still with all its threads, however many wait for their turn", async () => {
  const busy = "for (;;);";
  const script = `const { Worker } = require("node:worker_threads");
    for (let n = 0; n < 16; n++) new Worker(${JSON.stringify(busy)}, { eval: true });`;
  const started = { program: process.execPath, args: ["-e", script], cwd: directory, logFile: join(directory, "log") };
  const engine = startEngineProcess(started);
  const tasks = `/proc/${engine.pid}/task`;
  const states = () =>
    readdirSync(tasks).map((task) => / ([A-Z]) /.exec(readFileSync(`${tasks}/${task}/stat`, "utf8"))![1]);
  await vi.waitFor(() => expect(states().filter((state) => state === "R").length).toBeGreaterThan(12), 10_000);
  for (let round = 0; round < 5; round++) {
    await engine.kill("SIGSTOP");
    expect(new Set(states())).toEqual(new Set("T"));
    await engine.kill("SIGCONT");
  }
  await engine.kill("SIGKILL");
});

it("an engine does not start on a port that somebody has", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await expect(startRedis({ nodes: 1, firstPort: port })).rejects.toThrow(`in use on 127.0.0.1: port ${port}`);
  server.close();
});

it("jars that differ from the list are named", async () => {
  writeFileSync(join(directory, "good.jar"), "abc");
  writeFileSync(join(directory, "bad.jar"), "abd");
  const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const sums = new Map(["good.jar", "bad.jar", "no.jar"].map((name) => [name, abc]));
  expect(await jarProblems(directory, sums)).toEqual(["bad.jar has another SHA-256", "no.jar is missing"]);
});

it("a lock is held by one at a time, and one whose holder is dead is taken", async () => {
  const lock = join(directory, "lock");
  const ended = spawn("true");
  await new Promise((resolve) => ended.once("exit", resolve));
  writeFileSync(lock, String(ended.pid));
  let inside = 0;
  const work = async (): Promise<number> => {
    const seen = ++inside;
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
    return seen;
  };
  expect(await Promise.all([1, 2, 3].map(() => withLock(lock, 5_000, work)))).toEqual([1, 1, 1]);
  expect(existsSync(lock)).toBe(false);
});

describe("the engines of a developer", () => {
  const open = async () => {
    const ports = { ...devPorts, redis: await freePort() };
    const lines: string[] = [];
    return { lines, engines: createDevEngines({ directory, say: (line) => lines.push(line), ports }) };
  };

  it("go on until they are taken down", async () => {
    const { engines } = await open();
    await engines.up(["redis"]);
    const [pid] = engines.status().find(({ name }) => name === "redis")!.pids;
    await engines.up(["redis"]);
    expect(engines.status().map(({ name, state }) => `${name} ${state}`)).toEqual([
      "kafka down",
      "mariadb down",
      "redis up",
      "redis-cluster down",
      "hbase down",
    ]);
    expect(engines.status().find(({ name }) => name === "redis")!.pids).toEqual([pid]);
    expect(await engines.down()).toEqual([pid]);
    expect(isAlive(pid!)).toBe(false);
    expect(await engines.down()).toEqual([]);
  });

  it("are not confused with another process that got the pid", async () => {
    const { engines } = await open();
    await engines.up(["redis"]);
    const stateFile = join(directory, "engines.json");
    const [redis] = JSON.parse(readFileSync(stateFile, "utf8"));
    const stranger = spawn("sleep", ["60"]);
    try {
      const [process_] = redis.processes;
      const changed = [process_, { ...process_, pid: stranger.pid }];
      writeFileSync(stateFile, JSON.stringify([{ ...redis, processes: changed }]));
      expect(engines.status().find(({ name }) => name === "redis")?.state).toBe("part");
      expect(await engines.down()).toEqual([process_.pid]);
      expect(isAlive(stranger.pid!)).toBe(true);
    } finally {
      stranger.kill("SIGKILL");
    }
  });
});
