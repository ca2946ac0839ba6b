import { MeshProcesses } from "@chappe/bench/support/mesh-processes.ts";
import { closeCodes } from "@chappe/gen/errors.ts";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type StageEngines, startStageEngines } from "../faults/stage-engines.ts";
import { callJson, registerUser } from "../support/http-user.ts";
import { openSession } from "../support/socket-client.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const users = 40;
/** An order of magnitude, so that a machine with other work passes. */
const mostP99Ms = 2_000;
const mesh = new MeshProcesses();
let engines: StageEngines;
let doors: string[];
let names = 0;

beforeAll(async () => {
  engines = await startStageEngines();
  const members: Readonly<Record<string, string>> = {
    "route-1": "route",
    rest: "msg-writer,push,msg-proxy,msg-reader",
    "business-1": "business",
    "business-2": "business",
    "login-1": "login,online",
    "login-2": "login,online",
  };
  await mesh.start(members, 1, (name) => engines.envOf(members[name]!));
  doors = ["login-1", "login-2"].map((name) => `http://127.0.0.1:${mesh.port(name)}`);
});
afterAll(async () => {
  await mesh.close();
  await engines?.close();
});

/** A user with a session over a socket at each Login. */
async function signUp() {
  const user = await registerUser(doors[0]!, `leaver-${++names}`);
  const clients = [await openSession(doors[0]!, user.token, 1n), await openSession(doors[1]!, user.token, 2n)];
  return { user, closed: Promise.all(clients.map(({ closed }) => closed)) };
}

type Leaver = Awaited<ReturnType<typeof signUp>>;

/** Signs out at a door, again while nobody answers; the time from the answer to the end of the user's sockets. */
async function signOut({ user, closed }: Leaver, door: string): Promise<number> {
  for (let left = 100; ; left--) {
    try {
      await callJson(door, "chappe.business.v1.AuthService/SignOut", { everywhere: true }, user.token);
      break;
    } catch (error) {
      if ((error as { reason?: string }).reason === "SESSION_REVOKED") break;
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  const answeredMs = performance.now();
  expect(await closed).toEqual([closeCodes.SESSION_REVOKED.code, closeCodes.SESSION_REVOKED.code]);
  return performance.now() - answeredMs;
}

test("whichever business process signs a user out, the sockets at every Login end", async () => {
  const leavers: Leaver[] = [];
  for (let i = 0; i < users; i++) leavers.push(await signUp());
  const latencies: number[] = [];
  for (const [i, leaver] of leavers.entries()) latencies.push(await signOut(leaver, doors[i % 2]!));
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.ceil(latencies.length * share) - 1]!;
  console.log(JSON.stringify({ signOuts: latencies.length, p50Ms: at(0.5), p99Ms: at(0.99) }));
  expect(at(0.99)).toBeLessThan(mostP99Ms);
});

test("kill -9 of either process while users sign out loses no sign-out", async () => {
  const leavers: Leaver[] = [];
  for (let i = 0; i < users; i++) leavers.push(await signUp());
  const leaving = (async () => {
    for (const [i, leaver] of leavers.entries()) await signOut(leaver, doors[i % 2]!);
  })();
  for (const name of ["business-1", "business-2"]) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await mesh.killAndRestart(name);
  }
  await leaving;
});

/** Signs out while Kafka stands still, so that the change is stored and nobody has told of it, and kills processes then. */
async function signOutAndKill(killed: readonly string[]): Promise<Leaver> {
  const leaver = await signUp();
  const { pid } = engines.servers.kafka!;
  process.kill(pid, "SIGSTOP");
  try {
    await callJson(doors[0]!, "chappe.business.v1.AuthService/SignOut", { everywhere: true }, leaver.user.token);
    for (const name of killed) process.kill(mesh.pid(name), "SIGKILL");
  } finally {
    process.kill(pid, "SIGCONT");
  }
  return leaver;
}

const ended = [closeCodes.SESSION_REVOKED.code, closeCodes.SESSION_REVOKED.code];

test("killed between the commit and the relay: the other process tells", async () => {
  for (const name of ["business-1", "business-2"]) {
    const leaver = await signOutAndKill([name]);
    expect(await leaver.closed).toEqual(ended);
    await mesh.restart(name);
  }
});

test("both killed between the commit and the relay: they tell when they are back", async () => {
  const both = ["business-1", "business-2"];
  const leaver = await signOutAndKill(both);
  await Promise.all(both.map((name) => mesh.restart(name)));
  expect(await leaver.closed).toEqual(ended);
});
