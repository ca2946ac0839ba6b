import { once } from "node:events";
import { register } from "@chappe/sdk/src/index.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startBackend } from "./support/backend.ts";
import { examples } from "./support/run-tool.ts";
import { goExample, pythonWithGrpc } from "./support/tools.ts";
import { startWorld, type World } from "./support/world.ts";

let world: World;
let python: string;
let go: string;
beforeAll(async () => {
  [python, go] = [await pythonWithGrpc(), await goExample("chat")];
  world = await startWorld();
}, 600_000);
afterAll(() => world.close());

const programs = {
  Python: () => ({ program: python, args: [`${examples}/python/client.py`], env: { PYTHONDONTWRITEBYTECODE: "1" } }),
  Go: () => ({ program: go, args: [] }),
};
type Language = keyof typeof programs;
const languages = Object.keys(programs) as Language[];

const startClient = (language: Language, ...args: string[]) =>
  startBackend(programs[language](), ["--server", world.grpc, ...args]);

it.each(languages)(
  "a client in %s talks with one on a WebSocket, over a session of gRPC",
  async (language) => {
    const name = language.toLowerCase();
    const { userId } = await register({ url: world.url, name, password: "correct horse" });
    const to = String(world.tokens.userId);
    const client = startClient(
      language,
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
        if (message.own) continue;
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
  },
  60_000,
);

it.each([
  ["Python", "UNAUTHENTICATED"],
  ["Go", "Unauthenticated"],
] as const)("a client in %s is told why it is refused", async (language, word) => {
  const client = startClient(language, "--name", "nobody", "--password", "wrong wrong wrong");
  await client.line(word);
  await client.stop("SIGKILL");
});
