import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startBackend } from "./support/backend.ts";
import { callMethod, compileService } from "./support/dice.ts";
import { root, runTool } from "./support/run-tool.ts";
import { startWorld, type World } from "./support/world.ts";

const readme = readFileSync(join(root, "README.md"), "utf8");
const parts = [...readme.matchAll(/<!-- file: (\S+) -->\s*```\w+\n([\s\S]*?)```/g)];
const files = new Map(parts.map(([, name, text]) => [name!, text!]));
const folder = mkdtempSync(join(tmpdir(), "chappe-tutorial-"));
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

it("the README's service of a user works as it is written there", async () => {
  expect([...files.keys()]).toEqual(["echo.proto", "generate.sh", "echo.py"]);
  for (const [name, text] of files) writeFileSync(join(folder, name), text.replace("127.0.0.1:9090", world.grpc));
  await runTool("bash", ["-eu", "generate.sh"], { cwd: folder, env: { CHAPPE: root } });
  const start = `cd ${folder} && . .venv/bin/activate && exec python -u echo.py`;
  const backend = startBackend({ program: "bash", args: ["-c", start] }, []);
  try {
    await backend.line("contract_hash");
    const service = compileService(files.get("echo.proto")!, "echo.proto", "example.echo.v1.EchoService");
    const answer = await callMethod(world.client.transport, service, "echo", { text: "hello" });
    expect(answer).toMatchObject({ text: "hello" });
  } finally {
    await backend.stop("SIGKILL");
  }
}, 300_000);
