import { once } from "node:events";
import { register } from "@chappe/sdk/src/index.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startBackend } from "./support/backend.ts";
import { examples } from "./support/run-tool.ts";
import { pythonWithGrpc } from "./support/tools.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
let python: string;
beforeAll(async () => {
  python = await pythonWithGrpc();
  world = await startWorld();
}, 600_000);
afterAll(() => world.close());

const startClient = (...args: string[]) =>
  startBackend({ program: python, args: [`${examples}/python/client.py`], env: { PYTHONDONTWRITEBYTECODE: "1" } }, [
    "--server",
    world.grpc,
    ...args,
  ]);

it("a client in Python talks with one on a WebSocket, over a session of gRPC", async () => {
  const name = "python";
  const { userId } = await register({ url: world.url, name, password: "correct horse" });
  const to = String(world.tokens.userId);
  const client = startClient(
    "--name",
    name,
    "--password",
    "correct horse",
    "--to",
    to,
    "--text",
    "hello",
    "--until",
    "1",
  );
  try {
    await client.line(`welcome ${userId}`);
    await client.line("durable");
    for await (const message of world.client.messages()) {
      expect(message).toMatchObject({ senderId: userId, seq: 1, text: "hello" });
      await world.client.send(message.conversationId, { text: "well heard" }).durable;
      break;
    }
    await client.line(`seq=2 from=${to}: well heard`);
    if (client.child.exitCode === null) await once(client.child, "exit");
    expect(client.child.exitCode).toBe(0);
  } finally {
    await client.stop("SIGKILL");
  }
}, 60_000);

it("is told why it is refused", async () => {
  const client = startClient("--name", "nobody", "--password", "wrong wrong wrong");
  await client.line("UNAUTHENTICATED");
  await client.stop("SIGKILL");
});
