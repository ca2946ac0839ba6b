import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MeshProcesses } from "@chappe/bench/support/mesh-processes.ts";
import { toChappeError } from "@chappe/mesh/rpc/connect-errors.ts";
import { type ChappeClient, connect, register } from "@chappe/sdk/src/index.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type BackendProcess, startBackend } from "./support/backend.ts";
import { callMethod, compileDice, type WhoAmI } from "./support/dice.ts";
import { languages } from "./support/languages.ts";

const folder = mkdtempSync(join(tmpdir(), "chappe-polyglot-mesh-"));
const secret = "a-secret-of-this-test-only";
const mesh = new MeshProcesses();
const dice = compileDice();
let client: ChappeClient;
let backend: BackendProcess;

beforeAll(async () => {
  const program = await languages.go();
  const backendsFile = join(folder, "backends.json");
  const config = join(folder, "route.json");
  writeFileSync(backendsFile, JSON.stringify([{ name: "dice", secret, svids: [1_000] }]));
  writeFileSync(config, JSON.stringify({ backendsFile }));
  await mesh.start({}, 1);
  for (const name of ["route-1", "route-2"]) await mesh.add(name, "route", ["--config", config]);
  await mesh.add("core", "core", []);
  await mesh.add("online-1", "online", []);
  await mesh.add("login-1", "login", []);
  const routes = ["route-1", "route-2"].map((name) => `127.0.0.1:${mesh.ready(name).linkPort}`);
  const identity = ["--identity", "dice", "--secret", secret, "--ca", mesh.authorityFile];
  backend = startBackend(program, ["--route", routes.join(), "--instance", "one", ...identity]);
  while (backend.lines.filter((line) => line.includes("registered")).length < 2)
    await new Promise((resolve) => setTimeout(resolve, 20));
  const url = `http://127.0.0.1:${mesh.port("login-1")}`;
  const { accessToken } = await register({ url, name: "gambler", password: "correct horse" });
  client = await connect({ url, token: accessToken });
}, 600_000);
afterAll(async () => {
  await client?.close();
  await backend?.stop("SIGKILL");
  await mesh.close();
  rmSync(folder, { recursive: true, force: true });
});

it("a backend that is registered at two Routes is reached by way of either, while one of them dies", async () => {
  const whoAmI = () => callMethod<WhoAmI>(client.transport, dice, "whoAmI", {});
  expect(await whoAmI()).toMatchObject({ instanceId: "one", kind: "user" });
  const errors: string[] = [];
  let answers = 0;
  let running = true;
  const lane = async (): Promise<void> => {
    while (running)
      await whoAmI().then(
        () => answers++,
        (error: unknown) => errors.push(toChappeError(error).row.name),
      );
  };
  const lanes = Promise.all([lane(), lane(), lane(), lane()]);
  while (answers < 200) await new Promise((resolve) => setTimeout(resolve, 5));
  process.kill(mesh.pid("route-1"), "SIGKILL");
  const before = answers;
  while (answers < before + 500) await new Promise((resolve) => setTimeout(resolve, 5));
  running = false;
  await lanes;
  // A call that was on its way through the dead Route may be lost; the error says that it may be made again.
  expect(errors.filter((name) => name !== "UNAVAILABLE")).toEqual([]);
  expect(errors.length).toBeLessThanOrEqual(4);
  expect(await callMethod(client.transport, dice, "roll", { sides: 6, count: 2 })).toMatchObject({
    values: [expect.any(Number), expect.any(Number)],
  });
});

it("development's identity is nobody in a mesh", async () => {
  const program = await languages.go();
  const route = `127.0.0.1:${mesh.ready("route-2").linkPort}`;
  const refused = startBackend(program, ["--route", route, "--instance", "two", "--once", "--ca", mesh.authorityFile]);
  expect(await refused.line("refused")).toMatch(/permission.?denied/i);
  await refused.stop();
});
