import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "@chappe/bench/support/start-server.ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { expectServes, readTexts, sendText } from "../support/good-message.ts";
import { type HttpUser, registerUser } from "../support/http-user.ts";

const env = { CHAPPE_ARGON2_MEMORY_KIB: "8", CHAPPE_ARGON2_PASSES: "1", CHAPPE_AUTH_ATTEMPT_BURST: "100000" };
/** Nothing is in the database yet when the server is killed: all of it is read from the log again. */
const lateFlush = { CHAPPE_FLUSH_INTERVAL_MS: "600000" };
const textBytes = 15_900;
const messageCount = 120;

let dataDir: string;
let server: ServerProcess;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "chappe-backlog-"));
  server = await startServer({ dataDir, env: { ...env, ...lateFlush } });
});
afterAll(async () => {
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});

it("a backlog of large messages in one conversation is sequenced after a kill, each once and in order", async () => {
  const url = `http://127.0.0.1:${server.port}`;
  const alice: HttpUser = await registerUser(url, "alice");
  const bob: HttpUser = await registerUser(url, "bob");
  const texts = Array.from({ length: messageCount }, (_, index) => `${index} `.padEnd(textBytes, "x"));
  for (const text of texts) await sendText(alice, bob, text);
  await vi.waitFor(async () => expect(await readTexts(bob, alice)).toHaveLength(messageCount), 10_000);
  const { port } = server;
  await server.kill();
  server = await startServer({ dataDir, env, port });
  expect((await readTexts(bob, alice)).map((text) => text.trimEnd().split(" ")[0])).toEqual(
    texts.map((_, index) => String(index)),
  );
  await expectServes(alice, bob);
});
