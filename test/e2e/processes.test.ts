import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MeshProcesses } from "@chappe/bench/support/mesh-processes.ts";
import { connect, register } from "@chappe/sdk/src/index.ts";
import { describeSettings } from "@chappe/services/all/settings.ts";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, it } from "vitest";

const entry = fileURLToPath(new URL("../../services/main.ts", import.meta.url));
const mesh = new MeshProcesses();
let loginPort = 0;

/** A TCP port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Status of grpc.health.v1 for the whole process: 1 = SERVING, 2 = NOT_SERVING. */
function health(port: number): Promise<number> {
  const client = new Client(`localhost:${port}`, credentials.createSsl(readFileSync(mesh.authorityFile)));
  const bytes = (request: Buffer): Buffer => request;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest("/grpc.health.v1.Health/Check", bytes, bytes, Buffer.alloc(0), (error, answer) => {
      client.close();
      if (error === null) resolve(answer![1]!);
      else reject(error);
    });
  });
}

const statusOf = async (port: number, path: string): Promise<number> =>
  (await fetch(`http://127.0.0.1:${port}${path}`)).status;

/** The answer, once the server has one: those that say "try again" are not it. */
async function retried<T>(ask: () => Promise<T>): Promise<T> {
  for (let left = 100; ; left--) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0 || !(error as { retryable?: boolean }).retryable) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Whether it comes true in time. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let left = 600; left > 0; left--) {
    if (await condition().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("it did not come true in 30 s");
}

beforeAll(async () => {
  await mesh.start({ "route-1": "route" }, 1);
  await mesh.add("core", "core", ["--ops-port", "0"]);
  await mesh.add("online-1", "online", ["--ops-port", "0"]);
  loginPort = await freePort();
  await mesh.add("login", "login", ["--workers", "2"], loginPort);
}, 60_000);
afterAll(() => mesh.close());

it("says by HTTP and gRPC that a process is live and ready", async () => {
  const { opsPort = 0 } = mesh.ready("core");
  expect(await statusOf(opsPort, "/livez")).toBe(200);
  expect(await statusOf(opsPort, "/readyz")).toBe(200);
  expect(await statusOf(opsPort, "/other")).toBe(404);
  expect(await health(mesh.ready("route-1").linkPort ?? 0)).toBe(1);
});

it("says that a process without a Route is live and not ready, and that it is ready again when one is back", async () => {
  const { opsPort = 0 } = mesh.ready("online-1");
  process.kill(mesh.pid("route-1"), "SIGSTOP");
  try {
    await eventually(async () => (await statusOf(opsPort, "/readyz")) === 503);
    expect(await statusOf(opsPort, "/livez")).toBe(200);
  } finally {
    process.kill(mesh.pid("route-1"), "SIGCONT");
  }
  await eventually(async () => (await statusOf(opsPort, "/readyz")) === 200);
});

it("shares the port of a Login among workers, and starts one that died again", async () => {
  const url = `http://127.0.0.1:${loginPort}`;
  // The Route was stopped before: its workers come back to it one by one, and say so until then.
  const tokens = await retried(() => register({ url, name: "worker", password: "correct horse" }));
  const [first = 0, second = 0] = mesh.ready("login").workerPids ?? [];
  expect(first).not.toBe(second);
  const clients = await Promise.all(Array.from({ length: 24 }, () => connect({ url, token: tokens.accessToken })));
  const { stdout } = await promisify(execFile)("ss", ["-Htnp", "state", "established", `( sport = :${loginPort} )`]);
  const connectionsOf = (pid: number): number => stdout.split(`pid=${pid},`).length - 1;
  expect(connectionsOf(first)).toBeGreaterThan(0);
  expect(connectionsOf(second)).toBeGreaterThan(0);

  process.kill(first, "SIGKILL");
  await eventually(async () => {
    const { stdout: listening } = await promisify(execFile)("ss", ["-Hltnp", `( sport = :${loginPort} )`]);
    const pids = new Set([...listening.matchAll(/pid=(\d+),/g)].map(([, pid]) => Number(pid)));
    return pids.size === 2 && !pids.has(first);
  });
  await Promise.all(clients.map((client) => client.close()));
});

it("prints the settings that hold, and what is wrong with others", async () => {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [entry, "config", "check", "--port", "1234"]);
  expect(JSON.parse(stdout)).toMatchObject({ port: 1234, roles: ["core", "login", "route", "online"] });
  await expect(run(process.execPath, [entry, "config", "check", "--port", "x"])).rejects.toThrow("port: ");
  const doc = await run(process.execPath, [entry, "config", "doc"]);
  expect(doc.stdout.trim()).toBe(describeSettings());
});
